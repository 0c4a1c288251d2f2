import Configuration
import Engine
import Tokenizers

/// The shipped training configurations that are measured.
struct BenchPresets {
  static let names = ["tiny", "small", "base", "gpt2", "long"]

  let model: ModelConfiguration
  /// Rows of the activations of one micro-batch.
  let tokens: Int

  /// Tokens that a layer of `sliding` sees.
  private static let window = 256

  /// - Parameter mixer: The kind of all layers; nil for the preset's own. A layer of `sliding` sees 256 tokens.
  init(_ name: String, mixer: String? = nil) throws {
    let preset = Assignment(key: "preset", value: name, flag: "--config")
    var kind = mixer.map { [Assignment(key: "mixer.kind", value: $0, flag: "--mixers")] } ?? []
    if mixer == MixerName.sliding.rawValue {
      kind.append(Assignment(key: "model.window", value: "\(Self.window)", flag: "--mixers"))
    }
    let values = try ResolvedConfiguration(ConfigurationSources(assignments: [preset] + kind)).values
    model = try ModelShape.configuration(values, ByteTokenizer(endOfText: .absent))
    tokens = values.batch.micro * values.model.context
  }
}
