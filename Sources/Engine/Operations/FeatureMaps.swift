import Kernels

/// What linear attention makes of queries and keys before their products.
public enum FeatureMap: String, Sendable, Hashable, CaseIterable {
  case identity
  /// `elu(x) + 1`: exp(x) below 0, x + 1 above (Katharopoulos et al., "Transformers are RNNs", 2020).
  case eluPlusOne = "elu_plus_one"
  case relu
  case silu
  /// Softmax over the head's values.
  case softmax

  /// Whether no feature is negative, so that a sum of their products is a denominator.
  var isPositive: Bool { self != .identity && self != .silu }

  /// The map of single values; nil where it looks at a whole head.
  ///
  /// At 0 the slope of ``eluPlusOne`` comes from the exponential alone: where operands are equal, the first one of a
  /// minimum or maximum gets the gradient.
  func callAsFunction(_ x: PointwiseValue) -> PointwiseValue? {
    switch self {
    case .identity: x
    case .eluPlusOne: x.minimum(x.constant(0)).exp() + x.constant(0).maximum(x)
    case .relu: Activation.relu(x)
    case .silu: Activation.silu(x)
    case .softmax: nil
    }
  }

  static var samples: [Sample] {
    let program = PointwiseProgram(inputs: 1) { x in [FeatureMap.eluPlusOne(x[0]) ?? x[0]] }
    return [
      Sample("elu_plus_one", Pointwise(program), [.init([3, 19], .float32, .normal(deviation: 4))]),
      Sample(
        "elu_plus_one kinks", Pointwise(program),
        [.init([7], .float32, .values([0, 1e-3, -1e-3, 90, -90, 200, -200]))], gradients: []),
    ]
  }
}

extension Tape {
  /// A feature map of queries or keys.
  ///
  /// - Parameter x: [..., dim].
  public func featureMap(_ map: FeatureMap, _ x: Tensor) -> Tensor {
    switch map {
    case .identity: x
    case .softmax: softmax(x)
    case .eluPlusOne, .relu, .silu:
      apply(Pointwise(PointwiseProgram(inputs: 1) { values in [map(values[0]) ?? values[0]] }), [x])[0]
    }
  }
}
