/// The nonlinearities of MLPs, by the names that configurations and fixtures use.
public enum Activation: String, Sendable, Hashable, CaseIterable {
  case silu
  case sigmoid
  case relu
  case reluSquared = "relu_squared"
  /// Gaussian error linear unit, exact: x * Phi(x).
  case gelu
  /// Its tanh approximation (GPT-2's `gelu_new`).
  case geluTanh = "gelu_tanh"

  public func callAsFunction(_ x: PointwiseValue) -> PointwiseValue {
    switch self {
    case .silu: x * Self.logistic(x)
    case .sigmoid: Self.logistic(x)
    case .relu: x.maximum(x.constant(0))
    case .reluSquared: x.maximum(x.constant(0)) * x.maximum(x.constant(0))
    case .gelu: 0.5 * x * (1 + (x * 0.7071067811865476).erf())
    // 0.5 (1 + tanh u) is sigmoid(2 u).
    case .geluTanh: x * Self.logistic(1.5957691216057308 * (x + 0.044715 * x * x * x))
    }
  }

  /// `1 / (1 + exp(-x))` with the exponent held below 80: its gradient, too, stays finite, and both keep their relative
  /// precision on the side where they vanish (which 0.5 (1 + tanh(x / 2)) does not).
  private static func logistic(_ x: PointwiseValue) -> PointwiseValue {
    1 / (1 + (-x).minimum(x.constant(80)).exp())
  }
}
