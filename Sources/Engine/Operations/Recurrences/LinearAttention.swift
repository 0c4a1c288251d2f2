import Kernels

/// How linear attention without a gate is written.
public struct LinearAttentionOptions: Sendable, Hashable {
  public var featureMap: FeatureMap
  /// Divides by the features' sum: `o = scale S^T q / (scale q.z + epsilon)`, z the sum of the keys' features.
  public var normalizes: Bool
  /// Multiplies the query's features.
  public var scale: Float
  /// Added to the denominator.
  public var epsilon: Double

  public init(_ featureMap: FeatureMap, normalizes: Bool, scale: Float = 1, epsilon: Double = 1e-10) {
    self.featureMap = featureMap
    self.normalizes = normalizes
    self.scale = scale
    self.epsilon = epsilon
  }
}

extension Tape {
  /// Causal linear attention: `S += k v^T`, `o = scale S^T q`, with features for q and k and a denominator on demand.
  ///
  /// The sum of keys is one more column of the state, so that one kernel makes numerator and denominator.
  ///
  /// - Parameters:
  ///   - query: [batch, time, groups, k].
  ///   - key: [batch, time, groups, k].
  ///   - value: [batch, time, heads, v].
  ///   - initialState: [batch, heads, k, v], or [batch, heads, k, v + 1] with the sum of keys as the last column where the
  ///     options normalize; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token, like the initial one.
  /// - SeeAlso: Katharopoulos et al., "Transformers are RNNs", 2020.
  public func linearAttention(
    query: Tensor, key: Tensor, value: Tensor, options: LinearAttentionOptions, initialState: Tensor? = nil,
    documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let (query, key) = (featureMap(options.featureMap, query), featureMap(options.featureMap, key))
    guard options.normalizes else {
      return scalarGatedLinearAttention(
        query: query, key: key, value: value, scale: options.scale, initialState: initialState,
        documents: documents)
    }
    let width = value.shape.last
    let rows = value.shape.count / width
    let ones = filled([rows, 1], with: 1)
    let extended = apply(JoinColumns(widths: [width, 1]), [value.reshaped(to: [rows, width]), ones])[0]
    let front = Array(value.shape.dimensions.dropLast())
    let (sums, state) = scalarGatedLinearAttention(
      query: query, key: key, value: extended.reshaped(to: Shape(front + [width + 1])), scale: options.scale,
      initialState: initialState, documents: documents)
    return (quotient(of: sums, epsilon: options.epsilon), state)
  }

  /// Linear attention over all tokens, past and future: `o_i = scale (sum_j k_j v_j^T)^T q_i`, over the denominator where
  /// the options normalize.
  ///
  /// Shapes as in ``linearAttention(query:key:value:options:initialState:documents:)`` with `groups` equal to `heads`;
  /// key and value may be of another length than the query.
  public func bidirectionalLinearAttention(
    query: Tensor, key: Tensor, value: Tensor, options: LinearAttentionOptions,
  ) -> Tensor {
    let (query, key) = (featureMap(options.featureMap, query), featureMap(options.featureMap, key))
    let (batch, heads, width) = (query.shape[0], query.shape[2], value.shape[3])
    /// [batch * heads, time, dim] from [batch, time, heads, dim].
    func headMajor(_ x: Tensor) -> Tensor {
      apply(SwapAxes(), [x])[0].reshaped(to: [batch * heads, x.shape[1], x.shape[3]])
    }
    var values = value
    if options.normalizes {
      let rows = value.shape.count / width
      let joined = apply(
        JoinColumns(widths: [width, 1]), [value.reshaped(to: [rows, width]), filled([rows, 1], with: 1)])[0]
      values = joined.reshaped(to: [batch, value.shape[1], heads, width + 1])
    }
    let state = matmul(headMajor(key), headMajor(values), transposeA: true)
    let product = scale(matmul(headMajor(query), state), by: Double(options.scale))
    let output = apply(
      SwapAxes(), [product.reshaped(to: [batch, heads, query.shape[1], values.shape[3]])])[0]
    return options.normalizes ? quotient(of: output, epsilon: options.epsilon) : output
  }

  /// The first columns of `sums` [..., v + 1] over the last one plus epsilon: [..., v].
  private func quotient(of sums: Tensor, epsilon: Double) -> Tensor {
    let width = sums.shape.last - 1
    let rows = sums.shape.count / (width + 1)
    let parts = apply(SplitColumns(widths: [width, 1]), [sums.reshaped(to: [rows, width + 1])])
    let inverse = apply(Pointwise(PointwiseProgram(inputs: 1) { [1 / ($0[0] + epsilon)] }), [parts[1]])[0]
    let front = Array(sums.shape.dimensions.dropLast())
    return scaleRows(parts[0], by: inverse).reshaped(to: Shape(front + [width]))
  }

  /// A tensor of equal values without a gradient.
  func filled(_ shape: Shape, with value: Float) -> Tensor {
    let result = Tensor(device.allocate(shape.count, of: .float32), shape: shape)
    device.fill(result.memory, with: value)
    return result
  }
}
