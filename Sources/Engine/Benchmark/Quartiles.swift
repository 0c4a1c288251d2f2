/// The median of samples and the middle half round it, interpolated between neighbours.
public struct Quartiles: Sendable, Hashable {
  public let lower: Double
  public let median: Double
  public let upper: Double

  /// - Precondition: there are samples.
  public init(_ samples: [Double]) {
    precondition(!samples.isEmpty, "quartiles of nothing")
    let sorted = samples.sorted()
    func value(_ share: Double) -> Double {
      let place = share * Double(sorted.count - 1)
      let below = Int(place)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }
    (lower, median, upper) = (value(0.25), value(0.5), value(0.75))
  }
}
