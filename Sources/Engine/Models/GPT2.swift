public import Files

/// GPT-2: LayerNorm with bias, learned positions, one fused projection to queries, keys and values, weights stored
/// [in, out].
///
/// - SeeAlso: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
public enum GPT2: Architecture {
  public static let modelTypes = ["gpt2"]

  public static func className(of modelType: String) -> String { "GPT2LMHeadModel" }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    let heads = try reader.integer("n_head")
    let width = try reader.integer("n_embd")
    let layers = try reader.integer("n_layer")
    guard layers >= 0, layers < 1 << 16 else {
      throw ModelError.impossible(path: reader.path, problems: ["the number of layers is \(layers)"])
    }
    guard heads > 0, width > 0, width.isMultiple(of: heads) else {
      throw ModelError.impossible(
        path: reader.path, problems: ["\(heads) heads do not divide a width of \(width)"])
    }
    let usualHidden = width.multipliedReportingOverflow(by: 4)
    guard !usualHidden.overflow else {
      throw ModelError.impossible(path: reader.path, problems: ["the model dimension is \(width)"])
    }
    for (key, usual) in [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false)] {
      guard try reader.bool(key, default: usual) == usual else {
        throw ModelError.badValue(key: key, value: "\(!usual)", expected: "\(usual)", path: reader.path)
      }
    }
    return ModelConfiguration(
      architecture: "gpt2", layers: layers, modelDimension: width, heads: heads, keyValueHeads: heads,
      headDimension: width / heads,
      hiddenDimension: try reader.optionalInteger("n_inner") ?? usualHidden.partialValue,
      vocabularySize: try reader.integer("vocab_size"),
      contextLength: try reader.optionalInteger("n_positions") ?? 1024,
      normEpsilon: try reader.number("layer_norm_epsilon", default: 1e-5),
      tiesEmbeddings: try reader.bool("tie_word_embeddings", default: true), attentionBias: true,
      mlpBias: true,
      activation: try reader.activation("activation_function", default: .geluTanh),
      initialDeviation: try reader.number("initializer_range", default: 0.02),
      endOfText: try reader.tokens("eos_token_id"), beginOfText: try reader.tokens("bos_token_id").first,
      source: reader.object)
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    [
      "activation_function": .string(configuration.activation.transformersName),
      "n_embd": .integer(Int64(configuration.modelDimension)),
      "n_head": .integer(Int64(configuration.heads)),
      "n_inner": .integer(Int64(configuration.hiddenDimension)),
      "n_layer": .integer(Int64(configuration.layers)),
      "n_positions": .integer(Int64(configuration.contextLength)),
      "vocab_size": .integer(Int64(configuration.vocabularySize)),
      "layer_norm_epsilon": .number(configuration.normEpsilon),
      "tie_word_embeddings": .bool(configuration.tiesEmbeddings),
      "initializer_range": .number(configuration.initialDeviation),
      // No dropout is trained with; without these keys readers would assume 0.1.
      "attn_pdrop": .number(0), "embd_pdrop": .number(0), "resid_pdrop": .number(0),
    ]
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    let c = configuration
    var list = [
      ParameterSpecification("transformer.wte.weight", [c.vocabularySize, c.modelDimension], decays: true),
      ParameterSpecification("transformer.wpe.weight", [c.contextLength, c.modelDimension], decays: true),
    ]
    func linear(_ name: String, _ input: Int, _ out: Int) {
      list.append(ParameterSpecification(name + ".weight", [input, out], decays: true))
      list.append(ParameterSpecification(name + ".bias", [out], decays: false))
    }
    func norm(_ name: String) {
      list.append(ParameterSpecification(name + ".weight", [c.modelDimension], decays: false))
      list.append(ParameterSpecification(name + ".bias", [c.modelDimension], decays: false))
    }
    for layer in 0..<c.layers {
      let prefix = "transformer.h.\(layer)."
      norm(prefix + "ln_1")
      linear(prefix + "attn.c_attn", c.modelDimension, 3 * c.modelDimension)
      linear(prefix + "attn.c_proj", c.modelDimension, c.modelDimension)
      norm(prefix + "ln_2")
      linear(prefix + "mlp.c_fc", c.modelDimension, c.hiddenDimension)
      linear(prefix + "mlp.c_proj", c.hiddenDimension, c.modelDimension)
    }
    norm("transformer.ln_f")
    if !c.tiesEmbeddings {
      list.append(
        ParameterSpecification("lm_head.weight", [c.vocabularySize, c.modelDimension], decays: true))
    }
    return list
  }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    let part = name.split(separator: ".").dropLast().last ?? ""
    if part.hasPrefix("ln_") || name.hasSuffix(".bias") { return .gainOrBias(name) }
    let deviation = configuration.initialDeviation
    return .normal(
      deviation: part == "c_proj" ? deviation / (2 * Double(configuration.layers)).squareRoot() : deviation)
  }

  /// Files from before the language-model head was part of the model have no prefix.
  public static func alternativeNames(of name: String) -> [String] {
    name.hasPrefix("transformer.") ? [String(name.dropFirst("transformer.".count))] : []
  }

  /// Causal masks that old files carry.
  public static func isIgnorable(_ name: String) -> Bool {
    name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias")
  }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    let named = NamedParameters(store)
    func norm(_ name: String) throws -> NormLayer {
      .layer(
        weight: try named(name + ".weight"), bias: try named(name + ".bias"),
        epsilon: configuration.normEpsilon)
    }
    let blocks = try (0..<configuration.layers).map { layer -> PreNormBlock in
      let prefix = "transformer.h.\(layer)."
      return PreNormBlock(
        mixerNorm: try norm(prefix + "ln_1"),
        mixer: SoftmaxAttention(
          configuration, layer: layer,
          projections: .fused(try named.linear(prefix + "attn.c_attn", isTransposed: true)),
          output: try named.linear(prefix + "attn.c_proj", isTransposed: true), queryNorm: nil, keyNorm: nil,
          rotation: nil),
        feedForwardNorm: try norm(prefix + "ln_2"),
        feedForward: .plain(
          up: try named.linear(prefix + "mlp.c_fc", isTransposed: true),
          down: try named.linear(prefix + "mlp.c_proj", isTransposed: true),
          activation: configuration.activation))
    }
    let embedding = try named("transformer.wte.weight")
    return Decoder(
      configuration, parameters: store, embedding: embedding, positions: try named("transformer.wpe.weight"),
      blocks: blocks, finalNorm: try norm("transformer.ln_f"),
      head: configuration.tiesEmbeddings ? embedding : try named("lm_head.weight"))
  }
}
