/// The family of networks, named as in a checkpoint's `config.json`.
public enum ModelArchitecture: String, Sendable, CaseIterable {
  /// RMSNorm, rotary positions, SwiGLU.
  case llama
  /// As llama, with normalized queries and keys.
  case qwen3
  /// LayerNorm, learned positions, GELU, biases.
  case gpt2
}

/// The network's shape.
public struct ModelSettings: Sendable, Equatable {
  /// The family.
  public var architecture = ModelArchitecture.llama
  /// Width of the residual stream.
  public var dimension = 256
  /// Blocks.
  public var layers = 4
  /// Query heads.
  public var heads = 4
  /// Key and value heads.
  public var kvHeads = 4
  /// Width of a head.
  public var headDimension = 64
  /// Width of the MLP.
  public var hidden = 688
  /// Token kinds; 0 to take the tokenizer's.
  public var vocabulary = 0
  /// Tokens a sequence has in training.
  public var context = 256
  /// Whether the embedding is also the output projection.
  public var tied = true
  /// Base of the rotary frequencies.
  public var ropeTheta = 10_000.0
  /// Whether queries and keys are rotated by their positions.
  public var rotary = true
  /// Added to the variance or mean square in norms.
  public var normEpsilon = 1e-5
  /// Whether attention projections have biases.
  public var attentionBias = false
  /// Whether MLP projections have biases.
  public var mlpBias = false
  /// Tokens attention looks back on; 0 for all.
  public var window = 0
  /// Standard deviation of the initial weights.
  public var initialDeviation = 0.02
  /// That of the embeddings.
  public var embeddingDeviation = 0.02

  /// The defaults.
  public init() {}

  /// The number of trained values, the tied embedding counted once.
  ///
  /// - Parameter vocabulary: The tokenizer's size, used where `vocabulary` is 0.
  public func parameterCount(tokenizerVocabulary: Int) -> Int {
    let rows = vocabulary > 0 ? vocabulary : tokenizerVocabulary
    let isGPT2 = architecture == .gpt2
    let query = heads * headDimension
    let keyValue = kvHeads * headDimension
    let norm = isGPT2 ? 2 * dimension : dimension
    var block = dimension * (2 * query + 2 * keyValue) + (isGPT2 ? 2 : 3) * dimension * hidden + 2 * norm
    if attentionBias { block += query + 2 * keyValue + dimension }
    if mlpBias { block += (isGPT2 ? 1 : 2) * hidden + dimension }
    if architecture == .qwen3 { block += 2 * headDimension }
    let positions = isGPT2 ? context * dimension : 0
    return layers * block + rows * dimension * (tied ? 1 : 2) + positions + norm
  }
}
