import Configuration
import Engine
import Tokenizers

/// The shipped training configurations that are measured.
struct BenchPresets {
  static let names = ["tiny", "small", "base", "gpt2", "long"]

  let model: ModelConfiguration
  /// Rows of the activations of one micro-batch.
  let tokens: Int

  init(_ name: String) throws {
    let preset = Assignment(key: "preset", value: name, flag: "--config")
    let values = try ResolvedConfiguration(ConfigurationSources(assignments: [preset])).values
    model = try ModelShape.configuration(values, ByteTokenizer(endOfText: .absent))
    tokens = values.batch.micro * values.model.context
  }
}
