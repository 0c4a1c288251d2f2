public import Files

/// The shape of a decoder, whatever its architecture.
public struct ModelConfiguration: Sendable, Equatable {
  /// `model_type` of config.json: llama, mistral, qwen3, gpt2, nibble.
  public var architecture: String
  public var layers: Int
  /// Width of the residual stream.
  public var modelDimension: Int
  public var heads: Int
  /// Heads of keys and values; `heads` is a multiple of it.
  public var keyValueHeads: Int
  public var headDimension: Int
  /// Width inside the MLP.
  public var hiddenDimension: Int
  public var vocabularySize: Int
  /// The longest sequence the model is made for, in tokens.
  public var contextLength: Int
  public var normEpsilon: Double
  /// The head is the embedding table.
  public var tiesEmbeddings: Bool
  public var attentionBias: Bool
  public var mlpBias: Bool
  public var activation: Activation
  public var rope: RotarySettings?
  /// Per layer: keys that a query sees, itself included; nil sees all.
  public var windows: [Int?]
  /// Which mixer every layer has.
  public var mixers: MixerSettings
  /// What state space layers have besides heads; nil for models without.
  public var stateSpace: StateSpaceSettings?
  /// What the products of linear layers are rounded to; nil for single precision.
  public var precision: LinearPrecision?
  /// How activations are kept.
  public var storage = NumberStorage()
  /// Deviation of initial weights.
  public var initialDeviation: Double
  /// Adapters that are trained in place of the weights; nil for none.
  public var adapter: LowRankAdapter?
  /// Deviation of initial embeddings; nil for that of the other weights.
  public var embeddingDeviation: Double?
  /// End of text, by which documents are separated and generation stops; the first is written between documents.
  public var endOfText: [Int32]
  public var beginOfText: Int32?
  /// The config.json this came from, kept so that keys unknown to us are written back.
  public var source: JSONObject

  public init(
    architecture: String, layers: Int, modelDimension: Int, heads: Int, keyValueHeads: Int,
    headDimension: Int,
    hiddenDimension: Int, vocabularySize: Int, contextLength: Int, normEpsilon: Double = 1e-5,
    tiesEmbeddings: Bool = true, attentionBias: Bool = false, mlpBias: Bool = false,
    activation: Activation = .silu, rope: RotarySettings? = nil, windows: [Int?] = [],
    mixers: MixerSettings? = nil, initialDeviation: Double = 0.02, endOfText: [Int32] = [],
    beginOfText: Int32? = nil,
    source: JSONObject = [:],
  ) {
    self.architecture = architecture
    self.layers = layers
    self.modelDimension = modelDimension
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
    self.hiddenDimension = hiddenDimension
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
    self.normEpsilon = normEpsilon
    self.tiesEmbeddings = tiesEmbeddings
    self.attentionBias = attentionBias
    self.mlpBias = mlpBias
    self.activation = activation
    self.rope = rope
    self.windows = windows.isEmpty ? [Int?](repeating: nil, count: layers) : windows
    self.mixers = mixers ?? MixerSettings(layers: layers)
    self.initialDeviation = initialDeviation
    self.endOfText = endOfText
    self.beginOfText = beginOfText
    self.source = source
  }

  /// What is impossible about the shape, each in one sentence; empty when all is well.
  public var problems: [String] {
    var problems: [String] = []
    let positives = [
      ("layers", layers), ("model dimension", modelDimension), ("heads", heads),
      ("key/value heads", keyValueHeads), ("head dimension", headDimension), ("MLP width", hiddenDimension),
      ("vocabulary size", vocabularySize), ("context length", contextLength),
    ]
    for (name, value) in positives where value < 1 || value > 1 << 28 {
      problems.append("the \(name) is \(value)")
    }
    guard problems.isEmpty else { return problems }
    if heads % keyValueHeads != 0 {
      problems.append("\(heads) heads are not a multiple of \(keyValueHeads) key/value heads")
    }
    if !headDimension.isMultiple(of: 4) || headDimension > 256 {
      problems.append("the head dimension is \(headDimension), not a multiple of 4 from 4 to 256")
    }
    problems += mixerProblems
    if windows.count != layers { problems.append("\(windows.count) attention windows for \(layers) layers") }
    if windows.contains(where: { ($0 ?? 1) < 1 }) { problems.append("an attention window is not positive") }
    if !(normEpsilon > 0 && normEpsilon < 1) { problems.append("the norm's epsilon is \(normEpsilon)") }
    if !(initialDeviation >= 0 && initialDeviation < 1e6) {
      problems.append("the deviation of initial weights is \(initialDeviation)")
    }
    if layers >= 1 << 16 { problems.append("the layers are \(layers)") }
    if let rope, rope.rotaryDimensions > headDimension {
      problems.append("\(rope.rotaryDimensions) of \(headDimension) dimensions rotate")
    }
    let count = approximateParameterCount
    if count > 0x1p40 { problems.append("the model has about \(count) parameters, more than 2^40") }
    return problems
  }

  /// Parameters without gains and biases, in floating point: products of impossible shapes overflow integers.
  private var approximateParameterCount: Double {
    let width = Double(modelDimension)
    let attention = 2 * width * (Double(heads) + Double(keyValueHeads)) * Double(headDimension)
    let tables = width * (2 * Double(vocabularySize) + (rope == nil ? Double(contextLength) : 0))
    return tables + Double(layers) * (attention + 3 * width * Double(hiddenDimension))
  }
}
