import Engine
import Terminal

/// The numbers of a row; there are none for a row with a wrong result or without samples.
struct BenchmarkFigures {
  /// Seconds.
  let median: Double
  let lowerQuartile: Double
  let upperQuartile: Double
  /// Seconds on the device's clock.
  let eventSeconds: Double?
  let samples: [Double]
  /// Of one execution.
  private let tokens: Int?
  let cost: Cost?
  private let roof: DeviceRoof?

  init?(_ row: BenchmarkRow, roof: DeviceRoof?) {
    guard row.failure == nil, let median = row.median, let quartiles = row.quartiles else { return nil }
    self.median = median
    (lowerQuartile, upperQuartile) = quartiles
    eventSeconds = row.eventSeconds
    samples = row.samples
    tokens = row.tokens
    cost = row.cost
    self.roof = roof
  }

  /// The interquartile range as a share of the median.
  var relativeSpread: Double { median > 0 ? Quartiles(samples).relativeSpread : 0 }
  var tokensPerSecond: Double? { rate(tokens.map(Double.init)) }
  var flopsPerSecond: Double? { rate(cost?.flops) }
  var bytesPerSecond: Double? { rate(cost?.bytes) }
  /// Of the device's measured FMA peak.
  var shareOfPeak: Double? { share(flopsPerSecond, of: roof?.flopsPerSecond) }
  /// Of the machine's measured sgemm peak.
  var shareOfSgemmPeak: Double? { share(flopsPerSecond, of: roof?.sgemmPeak) }
  /// Of the rate of the copy benchmark.
  var shareOfCopy: Double? { share(bytesPerSecond, of: roof?.bytesPerSecond) }
  /// FLOP per byte; nil without arithmetic or without traffic.
  var intensity: Double? {
    guard let cost, cost.flops > 0, cost.bytes > 0 else { return nil }
    return cost.flops / cost.bytes
  }

  private func rate(_ work: Double?) -> Double? {
    guard let work, work > 0, median > 0 else { return nil }
    return work / median
  }

  private func share(_ rate: Double?, of roof: Double?) -> Double? {
    guard let rate, let roof, roof > 0 else { return nil }
    return rate / roof
  }
}

/// Times and rates as people read them: three significant digits.
public enum BenchmarkText {
  /// `3.16 ms`.
  public static func time(_ seconds: Double) -> String {
    let unit = unit(for: seconds)
    return Numbers.significant(seconds * unit.perSecond) + " " + unit.name
  }

  /// `3.10 to 3.22 ms`: both in the unit of the larger.
  public static func range(_ low: Double, _ high: Double) -> String {
    let unit = unit(for: high)
    return "\(Numbers.significant(low * unit.perSecond)) to \(Numbers.significant(high * unit.perSecond)) "
      + unit.name
  }

  /// `85.0`, from units to thousands of millions of them.
  static func giga(_ rate: Double) -> String { Numbers.significant(rate / 1e9) }

  /// `1.04x`.
  public static func factor(_ value: Double) -> String { Numbers.significant(value) + "x" }

  private static func unit(for seconds: Double) -> (perSecond: Double, name: String) {
    // The limits let 999.6 us become 1.00 ms and not 1,000 us.
    if seconds < 0.9995e-6 { return (1e9, "ns") }
    if seconds < 0.9995e-3 { return (1e6, "us") }
    return seconds < 0.9995 ? (1e3, "ms") : (1, "s")
  }
}
