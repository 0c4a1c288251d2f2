import BenchmarkReports

/// What a token of a run costs: the one place that decides on the cost axis of a sweep's picture.
enum PointCost: String, CaseIterable {
  /// On this machine, whose products are all in single precision.
  case measured
  /// On hardware that has the formats, counted.
  case model

  var unit: SweepCostUnit {
    switch self {
    case .measured: SweepCostUnit("microseconds per trained token, measured")
    case .model:
      SweepCostUnit("time of the linear layers over BF16's, modelled for hardware with the formats")
    }
  }

  /// - Returns: In the unit above; nil where it is not known.
  func cost(_ figures: SweepRow.Figures) -> Double? {
    switch self {
    case .measured: figures.tokensPerSecond > 0 ? 1e6 / figures.tokensPerSecond : nil
    case .model: figures.model?.relativeTime
    }
  }
}
