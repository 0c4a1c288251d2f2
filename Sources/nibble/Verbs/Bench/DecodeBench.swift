import ArgumentParser
import Configuration
import Engine
import Terminal

/// `nibble bench decode`: one token after the other.
struct DecodeBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Time the next token of a preset's model.",
    discussion: """
      Bytes are those of the weights, each read once a token: the share of the copy's bandwidth tells how close decoding
      comes to the memory's speed.

      EXAMPLES
        nibble bench decode --config tiny,small --context 128,512
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "Presets: \(BenchPresets.names.joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: BenchPresets.names) })
  var config = NameList(["small"])
  @Option(help: "Tokens before the one that is timed.", transform: NumberList.init(parsing:))
  var context = NumberList(256)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let models = try config.names.map { ($0, try BenchPresets($0).model) }
    return try BenchRun(call: call, options: bench)() { _ in
      models.flatMap { name, model in context.values.map { .decode(model, named: name, context: $0) } }
    }
  }
}
