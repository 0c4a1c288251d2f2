public import Files

/// Mamba-2: state space layers only.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
public enum Mamba2: Architecture {
  public static let modelTypes = ["mamba2"]

  public static func className(of modelType: String) -> String { "Mamba2ForCausalLM" }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    let layers = try reader.integer("num_hidden_layers")
    let width = try reader.integer("hidden_size")
    let headDimension = try reader.optionalInteger("head_dim") ?? 64
    let (inner, overflows) = width.multipliedReportingOverflow(by: try reader.optionalInteger("expand") ?? 2)
    let sizes = 1...(1 << 24)
    guard sizes.contains(width), sizes.contains(headDimension), !overflows, sizes.contains(inner) else {
      throw ModelError.impossible(
        path: reader.path,
        problems: ["hidden_size \(width), head_dim \(headDimension) and expand are no layer's sizes"])
    }
    let heads = try reader.optionalInteger("num_heads") ?? inner / headDimension
    guard layers >= 0, layers < 1 << 16 else {
      throw ModelError.impossible(path: reader.path, problems: ["the number of layers is \(layers)"])
    }
    guard sizes.contains(heads), heads * headDimension == inner else {
      throw ModelError.impossible(
        path: reader.path,
        problems: ["\(heads) heads of \(headDimension) are not expand x hidden_size, which is \(inner)"])
    }
    guard try reader.activation("hidden_act", default: .silu) == .silu else {
      throw ModelError.impossible(path: reader.path, problems: ["hidden_act of a mamba2 must be silu here"])
    }
    var configuration = ModelConfiguration(
      architecture: "mamba2", layers: layers, modelDimension: width, heads: heads, keyValueHeads: heads,
      headDimension: headDimension, hiddenDimension: inner, vocabularySize: try reader.integer("vocab_size"),
      contextLength: try reader.optionalInteger("max_position_embeddings") ?? 2048,
      normEpsilon: try reader.number("layer_norm_epsilon", default: 1e-5),
      tiesEmbeddings: try reader.bool("tie_word_embeddings", default: false),
      initialDeviation: try reader.number("initializer_range", default: 0.1),
      endOfText: try reader.tokens("eos_token_id"), beginOfText: try reader.tokens("bos_token_id").first,
      source: reader.object)
    configuration.mixers.kinds = [String](repeating: Mamba2Mixer.name, count: layers)
    configuration.stateSpace = StateSpaceSettings(
      stateSize: try reader.optionalInteger("state_size") ?? 128,
      groups: try reader.optionalInteger("n_groups") ?? 8,
      convolution: try reader.optionalInteger("conv_kernel") ?? 4, stepRange: try stepRange(reader),
      hasConvolutionBias: try reader.bool("use_conv_bias", default: true),
      hasProjectionBias: try reader.bool("use_bias", default: false))
    return configuration
  }

  /// `time_step_limit`: two numbers, of which the transformers library writes infinity as an object, or as a text.
  private static func stepRange(_ reader: ConfigurationReader) throws -> ClosedRange<Double> {
    guard let value = reader.object["time_step_limit"], !value.isNull else { return 0 ... .infinity }
    func number(_ element: JSON) -> Double? {
      let word = element.objectValue?["__float__"]?.stringValue ?? element.stringValue
      return element.doubleValue ?? (word == "Infinity" || word == "inf" ? .infinity : nil)
    }
    let bounds = value.arrayValue?.compactMap(number) ?? []
    guard bounds.count == 2, bounds[0] >= 0, bounds[0] <= bounds[1] else {
      throw reader.bad("time_step_limit", value, "two numbers from 0 on in rising order")
    }
    return bounds[0]...bounds[1]
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    let c = configuration
    var json: JSONObject = [
      "hidden_act": .string("silu"), "hidden_size": .integer(Int64(c.modelDimension)),
      "num_hidden_layers": .integer(Int64(c.layers)), "num_heads": .integer(Int64(c.heads)),
      "head_dim": .integer(Int64(c.headDimension)),
      "expand": .integer(Int64(c.heads * c.headDimension / max(1, c.modelDimension))),
      "vocab_size": .integer(Int64(c.vocabularySize)), "layer_norm_epsilon": .number(c.normEpsilon),
      "tie_word_embeddings": .bool(c.tiesEmbeddings), "initializer_range": .number(c.initialDeviation),
      "use_cache": .bool(true),
    ]
    guard let space = c.stateSpace else { return json }
    json["use_conv_bias"] = .bool(space.hasConvolutionBias)
    json["use_bias"] = .bool(space.hasProjectionBias)
    json["state_size"] = .integer(Int64(space.stateSize))
    json["n_groups"] = .integer(Int64(space.groups))
    json["conv_kernel"] = .integer(Int64(space.convolution))
    let upper: JSON =
      space.stepRange.upperBound.isFinite
      ? .number(space.stepRange.upperBound) : .object(["__float__": .string("Infinity")])
    json["time_step_limit"] = .array([.number(space.stepRange.lowerBound), upper])
    return json
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    let c = configuration
    var list = [
      ParameterSpecification(
        "backbone.embeddings.weight", [c.vocabularySize, c.modelDimension], decays: true)
    ]
    for layer in 0..<c.layers {
      list.append(
        ParameterSpecification("backbone.layers.\(layer).norm.weight", [c.modelDimension], decays: false))
      list += Mamba2Mixer.parameters(MixerShape(c, layer: layer)).map {
        ParameterSpecification(prefix(layer) + $0.name, $0.shape, decays: $0.decays)
      }
    }
    list.append(ParameterSpecification("backbone.norm_f.weight", [c.modelDimension], decays: false))
    if !c.tiesEmbeddings {
      list.append(
        ParameterSpecification("lm_head.weight", [c.vocabularySize, c.modelDimension], decays: true))
    }
    return list
  }

  private static func prefix(_ layer: Int) -> String { "backbone.layers.\(layer).mixer." }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    if name.hasSuffix(".norm.weight") || name.hasSuffix("norm_f.weight") { return .gainOrBias(name) }
    // Every layer has the same sizes.
    let own = Mamba2Mixer.parameters(MixerShape(configuration, layer: 0))
      .first { name.hasSuffix(".mixer." + $0.name) }
    return own?.start ?? .normal(deviation: configuration.initialDeviation)
  }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    let named = NamedParameters(store)
    let epsilon = configuration.normEpsilon
    let blocks = try (0..<configuration.layers).map { layer in
      MixerBlock(
        norm: .rms(weight: try named("backbone.layers.\(layer).norm.weight"), epsilon: epsilon),
        mixer: try Mamba2Mixer(MixerShape(configuration, layer: layer)) { try named(prefix(layer) + $0) })
    }
    let embedding = try named("backbone.embeddings.weight")
    return Decoder(
      configuration, parameters: store, embedding: embedding, positions: nil, blocks: blocks,
      finalNorm: .rms(weight: try named("backbone.norm_f.weight"), epsilon: epsilon),
      head: configuration.tiesEmbeddings ? embedding : try named("lm_head.weight"))
  }
}
