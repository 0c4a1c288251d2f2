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
    case .silu: x * Self.sigmoid(x)
    case .sigmoid: Self.sigmoid(x)
    case .relu: x.maximum(x.constant(0))
    case .reluSquared: x.maximum(x.constant(0)) * x.maximum(x.constant(0))
    case .gelu: 0.5 * x * (1 + (x * 0.7071067811865476).erf())
    case .geluTanh: 0.5 * x * (1 + (0.7978845608028654 * (x + 0.044715 * x * x * x)).tanh())
    }
  }

  /// `1 / (1 + exp(-x))`, written with tanh: no overflow and full precision on both sides.
  private static func sigmoid(_ x: PointwiseValue) -> PointwiseValue { 0.5 * (1 + (0.5 * x).tanh()) }
}
