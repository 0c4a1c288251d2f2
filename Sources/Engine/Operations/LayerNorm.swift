import Kernels

/// Layer normalization over the last axis, optionally of `x + residual`.
///
/// `z = x + residual`, `rstd = 1 / sqrt(mean((z - mean)^2) + epsilon)`, `y = (z - mean) * rstd * weight + bias`
///
/// Inputs: x [..., dim], then residual [..., dim], weight [dim] and bias [dim] where the attributes say so. Outputs:
/// y [..., dim], mean [...], rstd [...] and, with a residual, sum [..., dim]. The variance is taken round the mean
/// in a second pass, so that rows far from zero keep their precision.
///
/// - SeeAlso: Ba, Kiros & Hinton, "Layer Normalization", 2016.
public struct LayerNorm: NormOperation {
  public static let name = "layer_norm"
  static let flops = 8.0
  let forward: NormForward

  /// - Parameters:
  ///   - epsilon: Added to the variance, in units of x^2.
  ///   - hasWeight: A weight is among the inputs.
  ///   - hasBias: A bias is among the inputs.
  ///   - hasResidual: A residual is among the inputs, the sum among the outputs.
  public init(epsilon: Double, hasWeight: Bool = true, hasBias: Bool = true, hasResidual: Bool = false) {
    forward = NormForward(
      isCentered: true, epsilon: epsilon, weightOffset: 0, hasWeight: hasWeight, hasBias: hasBias,
      hasResidual: hasResidual)
  }

  public func backward(_ context: GradientContext) {
    forward.backward(context) { LayerNormGradient(backward: $0) }
  }

  public static var samples: [Sample] {
    let plain = [(1, 5), (3, 7), (17, 16), (2, 33)].map { rows, dim in
      Sample("\(rows)x\(dim)", LayerNorm(epsilon: 1e-5), [.init([rows, dim]), .init([dim]), .init([dim])])
    }
    return plain + [
      Sample("2x1", LayerNorm(epsilon: 0.1), [.init([2, 1]), .init([1]), .init([1])]),
      Sample("5x8 plain", LayerNorm(epsilon: 1e-6, hasWeight: false, hasBias: false), [.init([5, 8])]),
      Sample("5x8 without bias", LayerNorm(epsilon: 1e-6, hasBias: false), [.init([5, 8]), .init([8])]),
      Sample("vector", LayerNorm(epsilon: 1e-6), [.init([19]), .init([19]), .init([19])]),
      Sample("2x3x8 heads", LayerNorm(epsilon: 1e-6, hasBias: false), [.init([2, 3, 8]), .init([8])]),
      Sample(
        "3x12 residual", LayerNorm(epsilon: 1e-5, hasResidual: true),
        [.init([3, 12]), .init([3, 12]), .init([12]), .init([12])]),
      Sample(
        "18x9 residual plain", LayerNorm(epsilon: 1e-5, hasWeight: false, hasBias: false, hasResidual: true),
        [.init([18, 9]), .init([18, 9])]),
      Sample(
        "zero row", LayerNorm(epsilon: 0.01, hasBias: false),
        [.init([2, 4], .float32, .values([0, 0, 0, 0, 1, -2, 3, 0.5])), .init([4])]),
      // Values of 100 +- 1: a variance from mean squares would lose four digits.
      Sample(
        "shifted", LayerNorm(epsilon: 1e-5),
        [.init([3, 20], .float32, .uniform(99...101)), .init([20]), .init([20])]),
    ]
  }
}

/// The gradient of ``LayerNorm`` in one pass: dx [..., dim] and partial sums of the gradients of weight and bias.
struct LayerNormGradient: NormGradientOperation {
  static let name = "layer_norm_gradient"
  static let flops = 12.0
  let backward: NormBackward

  static var samples: [Sample] { NormBackward.samples(isCentered: true) { LayerNormGradient(backward: $0) } }
}

extension Tape {
  /// Layer normalization over the last axis; see ``LayerNorm``.
  ///
  /// - Parameters:
  ///   - x: Activations, [..., dim].
  ///   - weight: Gain, [dim]; nil for none.
  ///   - bias: Offset, [dim]; nil for none.
  ///   - epsilon: Added to the variance.
  /// - Returns: Normalized activations, [..., dim].
  public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Double) -> Tensor {
    let norm = LayerNorm(epsilon: epsilon, hasWeight: weight != nil, hasBias: bias != nil)
    return apply(norm, [x] + [weight, bias].compactMap { $0 })[0]
  }

  /// Adds a sublayer's output to the residual stream and normalizes the sum, in one pass.
  ///
  /// - Returns: The normalized sum, and the sum: the residual stream that goes on.
  public func layerNorm(
    _ x: Tensor, adding residual: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Double,
  ) -> (normalized: Tensor, sum: Tensor) {
    let norm = LayerNorm(epsilon: epsilon, hasWeight: weight != nil, hasBias: bias != nil, hasResidual: true)
    let outputs = apply(norm, [x, residual] + [weight, bias].compactMap { $0 })
    return (outputs[0], outputs[3])
  }
}
