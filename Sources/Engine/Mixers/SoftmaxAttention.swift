/// Multi-head softmax attention with grouped heads, rotation, head norms and an optional window.
struct SoftmaxAttention: Mixer {
  enum Projections {
    case separate(query: Linear, key: Linear, value: Linear)
    /// One projection whose columns are queries, keys and values side by side.
    case fused(Linear)
  }

  private let projections: Projections
  private let output: Linear
  private let queryNorm: Parameter?
  private let keyNorm: Parameter?
  private let rotation: RotaryPositions?
  private let options: AttentionOptions
  private let heads: Int
  private let keyValueHeads: Int
  private let headDimension: Int
  private let epsilon: Double

  init(
    _ configuration: ModelConfiguration, layer: Int, projections: Projections, output: Linear,
    queryNorm: Parameter?, keyNorm: Parameter?, rotation: RotaryPositions?,
  ) {
    self.projections = projections
    self.output = output
    self.queryNorm = queryNorm
    self.keyNorm = keyNorm
    self.rotation = rotation
    heads = configuration.heads
    keyValueHeads = configuration.keyValueHeads
    headDimension = configuration.headDimension
    epsilon = configuration.normEpsilon
    // A window of W keys includes the query's own position.
    options = AttentionOptions(
      scale: 1 / Float(configuration.headDimension).squareRoot(), isCausal: true,
      windowLeft: configuration.windows[layer].map { $0 - 1 })
  }

  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    var (query, key, value) = project(x, tape)
    if let queryNorm { query = normalized(query, queryNorm, tape) }
    if let keyNorm { key = normalized(key, keyNorm, tape) }
    if let rotation {
      query = rotation.rotate(query, from: context.position, tape)
      key = rotation.rotate(key, from: context.position, tape)
    }
    if let cache = context.cache { (key, value) = cache.append(key: key, value: value, layer: layer, tape) }
    let attended = tape.attention(
      query: query, key: key, value: value, options: options, documents: context.documents)
    let (batch, time) = (x.shape[0], x.shape[1])
    return output(attended.reshaped(to: [batch, time, heads * headDimension]), tape)
  }

  /// An RMS norm per head, or over all heads where the weight is as long.
  private func normalized(_ x: Tensor, _ weight: Parameter, _ tape: Tape) -> Tensor {
    let rows = Shape(Array(x.shape.dimensions.dropLast(2)) + [x.shape.count / (x.shape[0] * x.shape[1])])
    let isWhole = weight.shape.count != headDimension
    return tape.rmsNorm(
      isWhole ? x.reshaped(to: rows) : x, weight: tape.parameter(weight), epsilon: epsilon
    ).reshaped(to: x.shape)
  }

  /// Queries [batch, time, heads, headDimension], keys and values [batch, time, keyValueHeads, headDimension].
  private func project(_ x: Tensor, _ tape: Tape) -> (Tensor, Tensor, Tensor) {
    let front = Array(x.shape.dimensions.dropLast())
    let queryShape = Shape(front + [heads, headDimension])
    let keyShape = Shape(front + [keyValueHeads, headDimension])
    switch projections {
    case .separate(let query, let key, let value):
      return (
        query(x, tape).reshaped(to: queryShape), key(x, tape).reshaped(to: keyShape),
        value(x, tape).reshaped(to: keyShape)
      )
    case .fused(let projection):
      let (wide, narrow) = (heads * headDimension, keyValueHeads * headDimension)
      let parts = tape.apply(SplitColumns(widths: [wide, narrow, narrow]), [projection(x, tape)])
      return (
        parts[0].reshaped(to: queryShape), parts[1].reshaped(to: keyShape), parts[2].reshaped(to: keyShape)
      )
    }
  }
}
