public import Files

/// OLMo hybrids: gated delta rule layers with softmax attention in between.
///
/// Linear layers are pre-norm blocks; attention layers normalize what they add instead, and their queries and keys as whole
/// rows.
///
/// - SeeAlso: Yang et al., "Gated Delta Networks", 2024.
public enum OlmoHybrid: Architecture {
  public static let modelTypes = ["olmo_hybrid"]

  public static func className(of modelType: String) -> String { "OlmoHybridForCausalLM" }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    var configuration = try Llama.rotaryConfiguration(from: reader)
    // Released checkpoints do not rotate; those that do say how.
    if try !statesRotation(reader) { configuration.rope = nil }
    guard try reader.activation("hidden_act", default: .silu) == .silu else {
      throw ModelError.impossible(
        path: reader.path, problems: ["hidden_act of an olmo_hybrid must be silu here"])
    }
    guard let kinds = try reader.strings("layer_types") else {
      throw ModelError.missingKey("layer_types", path: reader.path)
    }
    configuration.mixers.kinds = try kinds.map { kind in
      switch kind {
      case "linear_attention": return GatedDeltaMixer.name
      case "full_attention": return MixerSettings.attention
      default:
        throw ModelError.badValue(
          key: "layer_types", value: "'\(kind)'", expected: "linear_attention or full_attention",
          path: reader.path)
      }
    }
    configuration.mixers.convolution = try reader.optionalInteger("linear_conv_kernel_dim") ?? 4
    configuration.mixers.allowsNegativeEigenvalues = try reader.bool(
      "linear_allow_neg_eigval", default: true)
    let valueHeads = try reader.integer("linear_num_value_heads")
    configuration.mixers.heads = LinearHeads(
      keyHeads: try reader.optionalInteger("linear_num_key_heads") ?? valueHeads, heads: valueHeads,
      keyWidth: try reader.integer("linear_key_head_dim"),
      valueWidth: try reader.integer("linear_value_head_dim"))
    return configuration
  }

  private static func statesRotation(_ reader: ConfigurationReader) throws -> Bool {
    let section = try reader.section("rope_parameters")
    return [section?.object["rope_theta"], reader.object["rope_theta"]].contains { $0?.doubleValue != nil }
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    var json = Llama.rotaryJSON(of: configuration)
    if configuration.rope == nil { json["rope_parameters"] = .null }
    let mixers = configuration.mixers
    json["layer_types"] = .array(
      mixers.kinds.map { .string($0 == MixerSettings.attention ? "full_attention" : "linear_attention") })
    json["linear_conv_kernel_dim"] = .integer(Int64(mixers.convolution))
    json["linear_allow_neg_eigval"] = .bool(mixers.allowsNegativeEigenvalues)
    guard let heads = mixers.heads else { return json }
    json["linear_num_key_heads"] = .integer(Int64(heads.keyHeads))
    json["linear_num_value_heads"] = .integer(Int64(heads.heads))
    json["linear_key_head_dim"] = .integer(Int64(heads.keyWidth))
    json["linear_value_head_dim"] = .integer(Int64(heads.valueWidth))
    return json
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    let c = configuration
    var list = [
      ParameterSpecification("model.embed_tokens.weight", [c.vocabularySize, c.modelDimension], decays: true)
    ]
    for layer in 0..<c.layers {
      let prefix = "model.layers.\(layer)."
      func add(_ name: String, _ shape: Shape, decays: Bool) {
        list.append(ParameterSpecification(prefix + name, shape, decays: decays))
      }
      if c.mixers.kinds[layer] == MixerSettings.attention {
        let (queries, keys) = (c.heads * c.headDimension, c.keyValueHeads * c.headDimension)
        add("self_attn.q_proj.weight", [queries, c.modelDimension], decays: true)
        add("self_attn.k_proj.weight", [keys, c.modelDimension], decays: true)
        add("self_attn.v_proj.weight", [keys, c.modelDimension], decays: true)
        add("self_attn.o_proj.weight", [c.modelDimension, queries], decays: true)
        add("self_attn.q_norm.weight", [queries], decays: false)
        add("self_attn.k_norm.weight", [keys], decays: false)
        add("feedforward_layer_norm.weight", [c.modelDimension], decays: false)
        add("post_feedforward_layernorm.weight", [c.modelDimension], decays: false)
      } else {
        add("attention_layer_norm.weight", [c.modelDimension], decays: false)
        for parameter in mixerParameters(c, layer: layer) {
          add("linear_attn." + parameter.name, parameter.shape, decays: parameter.decays)
        }
        add("feedforward_layer_norm.weight", [c.modelDimension], decays: false)
      }
      add("mlp.gate_proj.weight", [c.hiddenDimension, c.modelDimension], decays: true)
      add("mlp.up_proj.weight", [c.hiddenDimension, c.modelDimension], decays: true)
      add("mlp.down_proj.weight", [c.modelDimension, c.hiddenDimension], decays: true)
    }
    list.append(ParameterSpecification("model.norm.weight", [c.modelDimension], decays: false))
    if !c.tiesEmbeddings {
      list.append(
        ParameterSpecification("lm_head.weight", [c.vocabularySize, c.modelDimension], decays: true))
    }
    return list
  }

  private static func mixerParameters(_ configuration: ModelConfiguration, layer: Int)
    -> [MixerParameter]
  {
    LinearMixer<GatedDeltaMixer>.parameters(MixerShape(configuration, layer: layer))
  }

  /// Some checkpoints name the norm behind attention after its place.
  public static func alternativeNames(of name: String) -> [String] {
    name.hasSuffix(".feedforward_layer_norm.weight")
      ? [name.replacingSuffix(".feedforward_layer_norm.weight", with: ".post_attention_layernorm.weight")]
      : []
  }

  public static func isIgnorable(_ name: String) -> Bool { Llama.isIgnorable(name) }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    let parts = name.split(separator: ".")
    guard parts.count > 4, parts[3] == "linear_attn", let layer = Int(parts[2]) else {
      return Llama.start(of: name, configuration)
    }
    let short = parts[4...].joined(separator: ".")
    let parameter = mixerParameters(configuration, layer: layer).first { $0.name == short }
    return parameter?.start ?? Llama.start(of: name, configuration)
  }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    let named = NamedParameters(store)
    let rotation = try configuration.rope.map { try RotaryPositions($0, on: store.device) }
    let blocks = try (0..<configuration.layers).map { layer in
      try block(configuration, layer: layer, named, rotation)
    }
    let embedding = try named("model.embed_tokens.weight")
    return Decoder(
      configuration, parameters: store, embedding: embedding, positions: nil, blocks: blocks,
      finalNorm: .rms(weight: try named("model.norm.weight"), epsilon: configuration.normEpsilon),
      head: configuration.tiesEmbeddings ? embedding : try named("lm_head.weight"))
  }

  /// The output norm of the linear layers has an epsilon of its own, which config.json does not mention.
  private static let outputNormEpsilon = 1e-5

  private static func block(
    _ configuration: ModelConfiguration, layer: Int, _ named: NamedParameters, _ rotation: RotaryPositions?,
  ) throws -> any DecoderBlock {
    let prefix = "model.layers.\(layer)."
    func norm(_ name: String) throws -> NormLayer {
      .rms(weight: try named(prefix + name + ".weight"), epsilon: configuration.normEpsilon)
    }
    let feedForward = FeedForward.gated(
      gate: try named.linear(prefix + "mlp.gate_proj"), up: try named.linear(prefix + "mlp.up_proj"),
      down: try named.linear(prefix + "mlp.down_proj"), activation: configuration.activation)
    guard configuration.mixers.kinds[layer] == MixerSettings.attention else {
      var shape = MixerShape(configuration, layer: layer)
      shape.normEpsilon = outputNormEpsilon
      let mixer = try LinearMixer<GatedDeltaMixer>(shape) { try named(prefix + "linear_attn." + $0) }
      return PreNormBlock(
        mixerNorm: try norm("attention_layer_norm"), mixer: mixer,
        feedForwardNorm: try norm("feedforward_layer_norm"), feedForward: feedForward)
    }
    let attention = prefix + "self_attn."
    let mixer = SoftmaxAttention(
      configuration, layer: layer,
      projections: .separate(
        query: try named.linear(attention + "q_proj"), key: try named.linear(attention + "k_proj"),
        value: try named.linear(attention + "v_proj")),
      output: try named.linear(attention + "o_proj"), queryNorm: try named(attention + "q_norm.weight"),
      keyNorm: try named(attention + "k_norm.weight"), rotation: rotation)
    return PostNormBlock(
      mixer: mixer, mixerNorm: try norm("feedforward_layer_norm"), feedForward: feedForward,
      feedForwardNorm: try norm("post_feedforward_layernorm"))
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
  }
}
