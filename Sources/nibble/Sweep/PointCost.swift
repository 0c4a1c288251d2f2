import BenchmarkReports

/// What a token of a run costs: the one place that decides on the cost axis of a sweep's picture.
enum PointCost {
  static let unit = SweepCostUnit("microseconds per trained token, measured")

  /// - Returns: In the unit above; nil where it is not known.
  static func cost(_ figures: SweepRow.Figures) -> Double? {
    figures.tokensPerSecond > 0 ? 1e6 / figures.tokensPerSecond : nil
  }
}
