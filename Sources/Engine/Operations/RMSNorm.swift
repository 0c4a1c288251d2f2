import Kernels

/// Root-mean-square normalization over the last axis, optionally of `x + residual`.
///
/// `z = x + residual`, `rstd = 1 / sqrt(mean(z^2) + epsilon)`, `y = z * rstd * (weight + weightOffset)`
///
/// Inputs: x [..., dim], residual [..., dim] and weight [dim] where the attributes say so. Outputs: y [..., dim],
/// rstd [...] and, with a residual, sum [..., dim] (z, the residual stream that goes on). Any leading axes: with
/// x [tokens, heads, headDimension] and weight [headDimension] it normalizes heads (QK norm).
///
/// A zero row yields a zero row; its gradient is large but finite.
///
/// - SeeAlso: Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019.
public struct RMSNorm: NormOperation {
  public static let name = "rms_norm"
  static let flops = 4.0
  let forward: NormForward

  /// - Parameters:
  ///   - epsilon: Added to the mean of squares, in units of x^2.
  ///   - weightOffset: Added to the weight: 1 for checkpoints that store weight - 1 (Gemma).
  ///   - hasWeight: A weight is among the inputs.
  ///   - hasResidual: A residual is among the inputs, the sum among the outputs.
  public init(epsilon: Double, weightOffset: Double = 0, hasWeight: Bool = true, hasResidual: Bool = false) {
    forward = NormForward(
      isCentered: false, epsilon: epsilon, weightOffset: weightOffset, hasWeight: hasWeight, hasBias: false,
      hasResidual: hasResidual)
  }

  public func backward(_ context: GradientContext) {
    forward.backward(context) { RMSNormGradient(backward: $0) }
  }

  public static var samples: [Sample] {
    let plain = [(1, 5), (3, 7), (17, 16), (2, 33)].flatMap { rows, dim in
      [0.0, 1.0].map { offset in
        Sample(
          "\(rows)x\(dim) offset \(offset)", RMSNorm(epsilon: 1e-5, weightOffset: offset),
          [.init([rows, dim]), .init([dim])])
      }
    }
    return plain + [
      Sample("2x307", RMSNorm(epsilon: 1e-5), [.init([2, 307]), .init([307])]),
      Sample("1x1030", RMSNorm(epsilon: 1e-5), [.init([1, 1030]), .init([1030])]),
      Sample("1x1", RMSNorm(epsilon: 0.1), [.init([1, 1]), .init([1])]),
      Sample("5x8 without weight", RMSNorm(epsilon: 1e-6, hasWeight: false), [.init([5, 8])]),
      Sample("vector", RMSNorm(epsilon: 1e-6), [.init([19]), .init([19])]),
      Sample("2x3x8 heads", RMSNorm(epsilon: 1e-6), [.init([2, 3, 8]), .init([8])]),
      Sample(
        "3x12 residual", RMSNorm(epsilon: 1e-5, hasResidual: true),
        [.init([3, 12]), .init([3, 12]), .init([12])]),
      Sample(
        "18x9 residual without weight", RMSNorm(epsilon: 1e-5, hasWeight: false, hasResidual: true),
        [.init([18, 9]), .init([18, 9])]),
      Sample(
        "zero row", RMSNorm(epsilon: 0.01),
        [.init([2, 4], .float32, .values([0, 0, 0, 0, 1, -2, 3, 0.5])), .init([4])]),
      Sample(
        "spike", RMSNorm(epsilon: 1e-5, hasWeight: false),
        [.init([1, 6], .float32, .values([1, -1, 300, 0.5, 0, 2]))]),
    ]
  }
}

/// The gradient of ``RMSNorm`` in one pass: dx [..., dim] and partial sums of the weight's gradient.
struct RMSNormGradient: NormGradientOperation {
  static let name = "rms_norm_gradient"
  static let flops = 9.0
  let backward: NormBackward

  static var samples: [Sample] { NormBackward.samples(isCentered: false) { RMSNormGradient(backward: $0) } }
}

extension Tape {
  /// Root-mean-square normalization over the last axis; see ``RMSNorm``.
  ///
  /// - Parameters:
  ///   - x: Activations, [..., dim].
  ///   - weight: Gain, [dim]; nil for none.
  ///   - epsilon: Added to the mean of squares.
  ///   - weightOffset: Added to the weight: 1 for checkpoints that store weight - 1.
  /// - Returns: Normalized activations, [..., dim].
  public func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Double, weightOffset: Double = 0) -> Tensor {
    let norm = RMSNorm(epsilon: epsilon, weightOffset: weightOffset, hasWeight: weight != nil)
    return apply(norm, [x] + (weight.map { [$0] } ?? []))[0]
  }

  /// Adds a sublayer's output to the residual stream and normalizes the sum, in one pass.
  ///
  /// - Returns: The normalized sum, and the sum: the residual stream that goes on.
  public func rmsNorm(
    _ x: Tensor, adding residual: Tensor, weight: Tensor?, epsilon: Double, weightOffset: Double = 0,
  ) -> (normalized: Tensor, sum: Tensor) {
    let norm = RMSNorm(
      epsilon: epsilon, weightOffset: weightOffset, hasWeight: weight != nil, hasResidual: true)
    let outputs = apply(norm, [x, residual] + (weight.map { [$0] } ?? []))
    return (outputs[0], outputs[2])
  }
}
