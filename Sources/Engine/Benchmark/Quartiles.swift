/// The median of samples and the middle half round it, interpolated between neighbours.
public struct Quartiles: Sendable, Hashable {
  public let lower: Double
  public let median: Double
  public let upper: Double

  /// The middle half as a share of the median; infinite for a median of 0.
  public var relativeSpread: Double { median > 0 ? (upper - lower) / median : .infinity }

  /// - Precondition: there are samples.
  public init(_ samples: [Double]) {
    precondition(!samples.isEmpty, "quartiles of nothing")
    let sorted = samples.sorted()
    func value(_ share: Double) -> Double { Quantile.of(sorted, share) }
    (lower, median, upper) = (value(0.25), value(0.5), value(0.75))
  }
}
