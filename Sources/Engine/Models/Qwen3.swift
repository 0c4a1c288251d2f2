public import Files

/// Qwen3: Llama with RMS norms of size head_dim on the heads of queries and keys, before the rotation.
///
/// - SeeAlso: Yang et al., "Qwen3 Technical Report", 2025.
public enum Qwen3: Architecture {
  public static let modelTypes = ["qwen3"]

  public static func className(of modelType: String) -> String { "Qwen3ForCausalLM" }

  public static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration {
    var configuration = try Llama.rotaryConfiguration(from: reader)
    guard try reader.bool("use_sliding_window", default: false),
      let window = try reader.optionalInteger("sliding_window")
    else { return configuration }
    let kinds = try reader.strings("layer_types")
    let firstWindowed = try reader.optionalInteger("max_window_layers") ?? 0
    configuration.windows = (0..<configuration.layers).map { layer in
      let isWindowed =
        kinds.map { layer < $0.count && $0[layer] == "sliding_attention" } ?? (layer >= firstWindowed)
      return isWindowed ? window : nil
    }
    return configuration
  }

  public static func json(of configuration: ModelConfiguration) -> JSONObject {
    var json = Llama.rotaryJSON(of: configuration)
    let window = configuration.windows.compactMap { $0 }.first
    json["use_sliding_window"] = .bool(window != nil)
    json["sliding_window"] = window.map { .integer(Int64($0)) } ?? .null
    json["layer_types"] = .array(
      configuration.windows.map { .string($0 == nil ? "full_attention" : "sliding_attention") })
    return json
  }

  public static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification] {
    Llama.parameters(of: configuration, normalizesHeads: true)
  }

  public static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart {
    Llama.start(of: name, configuration)
  }

  public static func isIgnorable(_ name: String) -> Bool { Llama.isIgnorable(name) }

  public static func makeModel(
    _ configuration: ModelConfiguration, _ store: ParameterStore,
  ) throws -> any LanguageModel {
    try Llama.makeModel(configuration, store, normalizesHeads: true)
  }
}
