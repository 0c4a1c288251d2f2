public import Files

/// Llama and Mistral: RMSNorm, rotary positions, grouped heads, gated MLP.
///
/// - SeeAlso: Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023.
public enum Llama: Architecture {
  public static let modelTypes = ["llama", "mistral"]

  public static func className(of modelType: String) -> String {
    modelType == "mistral" ? "MistralForCausalLM" : "LlamaForCausalLM"
  }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    var configuration = try rotaryConfiguration(from: reader)
    // Mistral's window holds in every layer; Llama has none.
    if configuration.architecture == "mistral", let window = try reader.optionalInteger("sliding_window") {
      configuration.windows = [Int?](repeating: window, count: configuration.layers)
    }
    return configuration
  }

  /// The keys that Llama and its descendants share.
  static func rotaryConfiguration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    let heads = try reader.integer("num_attention_heads")
    let width = try reader.integer("hidden_size")
    let layers = try reader.integer("num_hidden_layers")
    let headDimension = try reader.optionalInteger("head_dim") ?? (heads > 0 ? width / heads : 0)
    guard layers >= 0, layers < 1 << 16 else {
      throw ModelError.impossible(path: reader.path, problems: ["the number of layers is \(layers)"])
    }
    return ModelConfiguration(
      architecture: try reader.string("model_type") ?? "llama",
      layers: layers, modelDimension: width, heads: heads,
      keyValueHeads: try reader.optionalInteger("num_key_value_heads") ?? heads,
      headDimension: headDimension,
      hiddenDimension: try reader.integer("intermediate_size"),
      vocabularySize: try reader.integer("vocab_size"),
      contextLength: try reader.optionalInteger("max_position_embeddings") ?? 2048,
      normEpsilon: try reader.number("rms_norm_eps", default: 1e-6),
      tiesEmbeddings: try reader.bool("tie_word_embeddings", default: false),
      attentionBias: try reader.bool("attention_bias", default: false),
      mlpBias: try reader.bool("mlp_bias", default: false),
      activation: try reader.activation("hidden_act", default: .silu),
      rope: try RotaryConfiguration.read(reader, headDimension: headDimension),
      initialDeviation: try reader.number("initializer_range", default: 0.02),
      endOfText: try reader.tokens("eos_token_id"), beginOfText: try reader.tokens("bos_token_id").first,
      source: reader.object)
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    var json = rotaryJSON(of: configuration)
    json["mlp_bias"] = .bool(configuration.mlpBias)
    if configuration.architecture == "mistral" {
      json["sliding_window"] = configuration.windows.first.flatMap { $0 }.map { .integer(Int64($0)) } ?? .null
    }
    return json
  }

  static func rotaryJSON(of configuration: ModelConfiguration) -> JSONObject {
    var json: JSONObject = [
      "hidden_act": .string(configuration.activation.transformersName),
      "hidden_size": .integer(Int64(configuration.modelDimension)),
      "intermediate_size": .integer(Int64(configuration.hiddenDimension)),
      "num_hidden_layers": .integer(Int64(configuration.layers)),
      "num_attention_heads": .integer(Int64(configuration.heads)),
      "num_key_value_heads": .integer(Int64(configuration.keyValueHeads)),
      "head_dim": .integer(Int64(configuration.headDimension)),
      "vocab_size": .integer(Int64(configuration.vocabularySize)),
      "max_position_embeddings": .integer(Int64(configuration.contextLength)),
      "rms_norm_eps": .number(configuration.normEpsilon),
      "tie_word_embeddings": .bool(configuration.tiesEmbeddings),
      "attention_bias": .bool(configuration.attentionBias),
      "initializer_range": .number(configuration.initialDeviation),
      "use_cache": .bool(true),
    ]
    RotaryConfiguration.write(configuration, to: &json)
    return json
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    parameters(of: configuration, normalizesHeads: false)
  }

  static func parameters(
    of configuration: ModelConfiguration, normalizesHeads: Bool,
  ) -> [ParameterSpecification] {
    let c = configuration
    let (queries, keys) = (c.heads * c.headDimension, c.keyValueHeads * c.headDimension)
    var list = [
      ParameterSpecification("model.embed_tokens.weight", [c.vocabularySize, c.modelDimension], decays: true)
    ]
    func linear(_ name: String, _ out: Int, _ input: Int, bias: Bool) {
      list.append(ParameterSpecification(name + ".weight", [out, input], decays: true))
      if bias { list.append(ParameterSpecification(name + ".bias", [out], decays: false)) }
    }
    func gain(_ name: String, _ width: Int) {
      list.append(ParameterSpecification(name + ".weight", [width], decays: false))
    }
    for layer in 0..<c.layers {
      let prefix = "model.layers.\(layer)."
      gain(prefix + "input_layernorm", c.modelDimension)
      linear(prefix + "self_attn.q_proj", queries, c.modelDimension, bias: c.attentionBias)
      linear(prefix + "self_attn.k_proj", keys, c.modelDimension, bias: c.attentionBias)
      linear(prefix + "self_attn.v_proj", keys, c.modelDimension, bias: c.attentionBias)
      linear(prefix + "self_attn.o_proj", c.modelDimension, queries, bias: c.attentionBias)
      if normalizesHeads {
        gain(prefix + "self_attn.q_norm", c.headDimension)
        gain(prefix + "self_attn.k_norm", c.headDimension)
      }
      gain(prefix + "post_attention_layernorm", c.modelDimension)
      linear(prefix + "mlp.gate_proj", c.hiddenDimension, c.modelDimension, bias: c.mlpBias)
      linear(prefix + "mlp.up_proj", c.hiddenDimension, c.modelDimension, bias: c.mlpBias)
      linear(prefix + "mlp.down_proj", c.modelDimension, c.hiddenDimension, bias: c.mlpBias)
    }
    gain("model.norm", c.modelDimension)
    if !c.tiesEmbeddings { linear("lm_head", c.vocabularySize, c.modelDimension, bias: false) }
    return list
  }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    if name.hasSuffix("norm.weight") || name.hasSuffix(".bias") { return .gainOrBias(name) }
    if name == "model.embed_tokens.weight", let deviation = configuration.embeddingDeviation {
      return .normal(deviation: deviation)
    }
    // Matrices that write to the residual stream start smaller, so that its size does not grow with depth.
    let writesResidual = ["o_proj.weight", "out_proj.weight", "down_proj.weight"].contains {
      name.hasSuffix($0)
    }
    let deviation = configuration.initialDeviation
    return .normal(
      deviation: writesResidual ? deviation / (2 * Double(configuration.layers)).squareRoot() : deviation)
  }

  public static func isIgnorable(_ name: String) -> Bool { name.hasSuffix("rotary_emb.inv_freq") }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    try makeModel(configuration, store, normalizesHeads: false)
  }

  /// - Parameter otherMixer: The mixer of a layer that has none of Llama's, from the layer's number, the rotation and the
  ///   model's parameters; nil for attention.
  static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore, normalizesHeads: Bool = false,
    otherMixer: (Int, RotaryPositions?, NamedParameters) throws -> (any Mixer)? = { _, _, _ in nil },
  ) throws -> any LanguageModel {
    let named = NamedParameters(store)
    let epsilon = configuration.normEpsilon
    let rotation = try configuration.rope.map { try RotaryPositions($0, on: store.device) }
    let blocks = try (0..<configuration.layers).map { layer -> PreNormBlock in
      let prefix = "model.layers.\(layer)."
      let mixer =
        try otherMixer(layer, rotation, named)
        ?? attention(
          configuration, layer: layer, prefix + "self_attn.", named, normalizesHeads: normalizesHeads,
          rotation: rotation)
      return PreNormBlock(
        mixerNorm: .rms(weight: try named(prefix + "input_layernorm.weight"), epsilon: epsilon), mixer: mixer,
        feedForwardNorm: .rms(
          weight: try named(prefix + "post_attention_layernorm.weight"), epsilon: epsilon),
        feedForward: .gated(
          gate: try named.linear(prefix + "mlp.gate_proj"), up: try named.linear(prefix + "mlp.up_proj"),
          down: try named.linear(prefix + "mlp.down_proj"), activation: configuration.activation))
    }
    let embedding = try named("model.embed_tokens.weight")
    return Decoder(
      configuration, parameters: store, embedding: embedding, positions: nil, blocks: blocks,
      finalNorm: .rms(weight: try named("model.norm.weight"), epsilon: epsilon),
      head: configuration.tiesEmbeddings ? embedding : try named("lm_head.weight"))
  }

  private static func attention(
    _ configuration: ModelConfiguration, layer: Int, _ prefix: String, _ named: NamedParameters,
    normalizesHeads: Bool, rotation: RotaryPositions?,
  ) throws -> SoftmaxAttention {
    SoftmaxAttention(
      configuration, layer: layer,
      projections: .separate(
        query: try named.linear(prefix + "q_proj"), key: try named.linear(prefix + "k_proj"),
        value: try named.linear(prefix + "v_proj")),
      output: try named.linear(prefix + "o_proj"),
      queryNorm: normalizesHeads ? try named(prefix + "q_norm.weight") : nil,
      keyNorm: normalizesHeads ? try named(prefix + "k_norm.weight") : nil, rotation: rotation)
  }
}

/// Parameters of a store by name, with an error for a missing one.
struct NamedParameters {
  private let store: ParameterStore

  init(_ store: ParameterStore) { self.store = store }

  func callAsFunction(_ name: String) throws -> Parameter {
    guard let parameter = store[name] else {
      throw ModelError.missingTensor(name: name, path: "the model", found: store.parameters.map(\.name))
    }
    return parameter
  }

  /// A linear layer with the bias that the store has or has not.
  func linear(_ name: String, isTransposed: Bool = false) throws -> Linear {
    Linear(weight: try self(name + ".weight"), bias: store[name + ".bias"], isTransposed: isTransposed)
  }
}
