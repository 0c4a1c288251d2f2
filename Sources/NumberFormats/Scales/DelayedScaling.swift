/// The scale of a tensor from the largest magnitudes of the last steps (Micikevicius et al., "FP8 Formats for Deep
/// Learning", 2022, as Transformer Engine does it).
///
/// A step quantizes with ``scale`` and then calls ``update(largest:)``. The first step's scale is 1.
public struct DelayedScaling: Sendable, Hashable {
  /// Which of the remembered magnitudes counts.
  public enum Choice: String, Sendable, Hashable, CaseIterable {
    case max
    case mostRecent = "most_recent"
  }

  /// What the format's largest value is.
  public let limit: Float
  /// Powers of two left free above the largest magnitude.
  public let margin: Int
  public let choice: Choice
  /// What values are multiplied by before they are rounded.
  public private(set) var scale: Float = 1
  /// The magnitude that ``scale`` takes to the limit.
  public private(set) var largest: Float
  /// Magnitudes of past steps; the place of the next one comes first.
  public private(set) var history: [Float]

  /// - Parameters:
  ///   - limit: Positive.
  ///   - length: Steps that are remembered, at least one.
  public init(limit: Float, length: Int = 1024, margin: Int = 0, choice: Choice = .max) {
    precondition(length > 0 && limit > 0)
    self.limit = limit
    self.margin = margin
    self.choice = choice
    history = [Float](repeating: 0, count: length)
    largest = limit
  }

  /// Goes on where another one stood.
  ///
  /// - Parameters:
  ///   - history: Of as many steps.
  ///   - largest: Its ``largest``.
  public mutating func restore(history: [Float], largest: Float) {
    precondition(history.count == self.history.count && largest > 0)
    self.history = history
    take(largest)
  }

  private mutating func take(_ largest: Float) {
    self.largest = largest
    scale = Swift.min(limit / largest, Float.greatestFiniteMagnitude)
  }

  /// Ends a step: magnitudes that are zero or not finite leave the scale as it is.
  public mutating func update(largest: Float) {
    history[0] = largest
    let pick =
      choice == .max
      ? history.reduce(0) { $0.isNaN || $1.isNaN ? .nan : Swift.max($0, $1) } : history[0]
    history.append(history.removeFirst())
    history[0] = 0
    guard pick.isFinite, pick > 0 else { return }
    let room = Float(sign: .plus, exponent: margin, significand: 1)
    take(Swift.min(Swift.max(pick * room, Float.leastNormalMagnitude), Float.greatestFiniteMagnitude))
  }
}
