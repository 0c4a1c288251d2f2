import Terminal

/// What is measured of an operand's rounding, as a picture shows it.
public enum RoundingQuantity: String, CaseIterable, Sendable {
  case signalToNoise = "sqnr_db"
  case underflow
  case saturation
  case bias
  case kurtosis = "excess_kurtosis"
  /// Change of the mean base-2 logarithm of the scales against the first measurement.
  case scaleDrift = "log2_scale_drift"

  /// The key in `metrics.jsonl`; the drift is made of the scale there.
  var metricsKey: String { self == .scaleDrift ? "log2_scale" : rawValue }

  var title: String {
    switch self {
    case .signalToNoise: "Signal to quantization noise"
    case .underflow: "Underflow: share of nonzero numbers that became zero"
    case .saturation: "Saturation: share of numbers beyond their block's largest value"
    case .bias: "Bias: sum (q - x) sign(x) / sum |x|, below 0 where rounding shrinks"
    case .kurtosis: "Excess kurtosis of rows"
    case .scaleDrift: "Scale drift: mean log2 of the scales against the first measurement"
    }
  }

  var unit: String {
    switch self {
    case .signalToNoise: "dB"
    case .underflow, .saturation, .bias: "%"
    case .kurtosis: ""
    case .scaleDrift: "octaves"
    }
  }

  /// A value with its unit, for people.
  func text(_ value: Double) -> String {
    switch self {
    case .signalToNoise: "\(Numbers.fixed(value, decimals: 1)) dB"
    case .underflow, .saturation, .bias: "\(Numbers.significant(value * 100)) %"
    case .kurtosis: Numbers.significant(value)
    case .scaleDrift: "\(value > 0 ? "+" : "")\(Numbers.fixed(value, decimals: 2)) octaves"
    }
  }

  /// Of several values the one that a picture must not hide.
  func worst(_ values: [Double]) -> Double? {
    switch self {
    case .signalToNoise: values.min()
    case .underflow, .saturation, .kurtosis: values.max()
    case .bias, .scaleDrift: values.max { $0.magnitude < $1.magnitude }
    }
  }

  /// Colours for these values.
  func colors(_ values: [Double]) -> ColorScale {
    switch self {
    case .signalToNoise: ColorScale(linear: values, least: -10)
    case .underflow, .saturation: ColorScale(logarithmic: values, least: 1e-5)
    case .kurtosis: ColorScale(logarithmic: values, least: 1e-2)
    case .bias, .scaleDrift: ColorScale(around: values)
    }
  }
}
