/// The values a numeric key may take.
public struct ValueRange: Sendable, Equatable {
  /// The lower end, nil for none.
  public var lower: Double?
  /// Whether the lower end itself is allowed.
  public var includesLower = true
  /// The upper end, nil for none.
  public var upper: Double?
  /// Whether the upper end itself is allowed.
  public var includesUpper = true

  /// From `lower` up to `upper`, both allowed.
  public static func within(_ lower: Double, _ upper: Double) -> ValueRange {
    ValueRange(lower: lower, upper: upper)
  }

  /// From `lower` up to but not including `upper`.
  public static func halfOpen(_ lower: Double, _ upper: Double) -> ValueRange {
    ValueRange(lower: lower, upper: upper, includesUpper: false)
  }

  /// Above `lower`, up to `upper`.
  public static func above(_ lower: Double, upTo upper: Double? = nil) -> ValueRange {
    ValueRange(lower: lower, includesLower: false, upper: upper)
  }

  /// `lower` or more.
  public static func atLeast(_ lower: Double) -> ValueRange {
    ValueRange(lower: lower)
  }

  /// Whether a value is allowed; NaN never is.
  public func contains(_ value: Double) -> Bool {
    guard !value.isNaN else { return false }
    if let lower, includesLower ? value < lower : value <= lower { return false }
    if let upper, includesUpper ? value > upper : value >= upper { return false }
    return true
  }

  /// For people: `> 0`, `>= 1`, `0 to 1`, `0 to below 1`.
  public var display: String {
    func text(_ value: Double) -> String { ConfigurationValue.plain(value) }
    switch (lower, upper) {
    case (nil, nil): return "any"
    case (let lower?, nil): return (includesLower ? ">= " : "> ") + text(lower)
    case (nil, let upper?): return (includesUpper ? "<= " : "< ") + text(upper)
    case (let lower?, let upper?):
      return (includesLower ? "" : "above ") + text(lower) + " to " + (includesUpper ? "" : "below ")
        + text(upper)
    }
  }
}
