public import Files

/// Nibble's own family: Llama's blocks with a mixer of choice in every layer.
///
/// config.json has Llama's keys and `mixers`, one name per layer, besides `mixer_*`. Where some layers are `sliding`,
/// `sliding_window` is theirs alone, else that of all softmax attention. Layers of `attention` and `sliding` keep Llama's
/// tensor names (`model.layers.0.self_attn.q_proj.weight`), others have theirs below `model.layers.0.mixer.` as
/// ``LinearMixer`` and the mixers of the ``MixerCatalogue`` list them. `rotary` false means that nothing rotates.
public enum Hybrid: Architecture {
  public static let modelType = "nibble"
  public static let modelTypes = [modelType]

  public static func className(of modelType: String) -> String { "NibbleForCausalLM" }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    var configuration = try Llama.rotaryConfiguration(from: reader)
    if try !reader.bool("rotary", default: true) { configuration.rope = nil }
    var mixers = MixerSettings(layers: configuration.layers)
    if let kinds = try reader.strings("mixers") { mixers.kinds = kinds }
    mixers.convolution = try reader.optionalInteger("mixer_convolution") ?? mixers.convolution
    mixers.valueExpansion = try reader.optionalInteger("mixer_value_expansion") ?? mixers.valueExpansion
    mixers.stateSize = try reader.optionalInteger("mixer_state_size") ?? mixers.stateSize
    mixers.hasOutputGate = try reader.bool("mixer_output_gate", default: mixers.hasOutputGate)
    mixers.normalizes = try reader.bool("mixer_normalize", default: mixers.normalizes)
    mixers.allowsNegativeEigenvalues = try reader.bool(
      "mixer_negative_eigenvalues", default: mixers.allowsNegativeEigenvalues)
    mixers.featureMap = try choice("mixer_feature_map", reader) ?? mixers.featureMap
    mixers.gate = try choice("mixer_gate", reader) ?? mixers.gate
    mixers.decay = try choice("mixer_decay", reader) ?? mixers.decay
    mixers.hedgehog = try choice("mixer_hedgehog", reader) ?? mixers.hedgehog
    mixers.block = try reader.optionalInteger("mixer_block") ?? mixers.block
    configuration.mixers = mixers
    configuration.windows = mixers.windows(of: try reader.optionalInteger("sliding_window"))
    return configuration
  }

  private static func choice<Value: RawRepresentable & CaseIterable>(
    _ key: String, _ reader: ConfigurationReader,
  ) throws -> Value? where Value.RawValue == String {
    guard let name = try reader.string(key) else { return nil }
    guard let value = Value(rawValue: name) else {
      let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError.badValue(key: key, value: name, expected: known, path: reader.path)
    }
    return value
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    var json = Llama.rotaryJSON(of: configuration)
    let mixers = configuration.mixers
    json["mlp_bias"] = .bool(configuration.mlpBias)
    json["rotary"] = .bool(configuration.rope != nil)
    json["sliding_window"] =
      configuration.windows.compactMap { $0 }.first.map { .integer(Int64($0)) } ?? .null
    json["mixers"] = .array(mixers.kinds.map { .string($0) })
    json["mixer_convolution"] = .integer(Int64(mixers.convolution))
    json["mixer_value_expansion"] = .integer(Int64(mixers.valueExpansion))
    json["mixer_state_size"] = .integer(Int64(mixers.stateSize))
    json["mixer_output_gate"] = .bool(mixers.hasOutputGate)
    json["mixer_normalize"] = .bool(mixers.normalizes)
    json["mixer_negative_eigenvalues"] = .bool(mixers.allowsNegativeEigenvalues)
    json["mixer_feature_map"] = .string(mixers.featureMap.rawValue)
    json["mixer_gate"] = .string(mixers.gate.rawValue)
    json["mixer_decay"] = .string(mixers.decay.rawValue)
    json["mixer_hedgehog"] = .string(mixers.hedgehog.rawValue)
    json["mixer_block"] = .integer(Int64(mixers.block))
    return json
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    let others = Set(
      configuration.mixers.kinds.indices.filter {
        MixerCatalogue.mixer(configuration.mixers.kinds[$0]) != nil
      })
    // Such a layer's tensors take the place of Llama's projections.
    let list = Llama.parameters(of: configuration)
    var result: [ParameterSpecification] = []
    var done: Set<Int> = []
    for specification in list {
      let parts = specification.name.split(separator: ".")
      guard parts.count > 3, parts[3] == "self_attn", let layer = Int(parts[2]), others.contains(layer) else {
        result.append(specification)
        continue
      }
      guard done.insert(layer).inserted else { continue }
      result += mixerParameters(configuration, layer: layer).map {
        ParameterSpecification(prefix(layer) + $0.name, $0.shape, decays: $0.decays)
      }
    }
    return result
  }

  private static func prefix(_ layer: Int) -> String { "model.layers.\(layer).mixer." }

  private static func mixerParameters(
    _ configuration: ModelConfiguration, layer: Int,
  ) -> [MixerParameter] {
    MixerCatalogue.mixer(configuration.mixers.kinds[layer])?
      .parameters(MixerShape(configuration, layer: layer)) ?? []
  }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    let parts = name.split(separator: ".")
    guard parts.count > 4, parts[3] == "mixer", let layer = Int(parts[2]) else {
      return Llama.start(of: name, configuration)
    }
    let short = parts[4...].joined(separator: ".")
    let parameter = mixerParameters(configuration, layer: layer).first { $0.name == short }
    return parameter?.start ?? Llama.start(of: name, configuration)
  }

  public static func isIgnorable(_ name: String) -> Bool { Llama.isIgnorable(name) }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    try Llama.makeModel(configuration, store) { layer, rotation, named in
      try MixerCatalogue.mixer(configuration.mixers.kinds[layer])?
        .init(MixerShape(configuration, layer: layer, rotation: rotation)) { try named(prefix(layer) + $0) }
    }
  }
}
