import ArgumentParser
import Configuration
import Engine
import Terminal

/// `nibble bench decode`: one token after the other.
struct DecodeBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Time the next tokens of a preset's model.",
    discussion: """
      With --context one token is timed behind so many random ones, and bytes are those of the weights, each read once a \
      token: the share of the copy's bandwidth tells how close decoding comes to the memory's speed.

      With --positions a hundred tokens are timed, one after the other, behind texts of these lengths in alternation; VS \
      AT 20000 is the time there over that at the first position, KEPT the bytes of states, keys and values. Results are \
      compared with the same tokens read at once.

      EXAMPLES
        nibble bench decode --config tiny,small --context 128,512
        nibble bench decode --config tiny --mixers all --positions 0,20000
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "Presets: \(BenchPresets.names.joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: BenchPresets.names) })
  var config = NameList(["small"])
  @Option(
    help: "Tokens before the one that is timed (256 if not given).", transform: NumberList.init(parsing:))
  var context: NumberList?
  @Option(
    help: "Tokens before a hundred that are timed, from 0.",
    transform: { try NumberList(parsing: $0, least: 0) })
  var positions: NumberList?
  @Option(
    help: "With --positions: mixers of all layers, separated by commas, or all. Attention if not given.",
    transform: { try NameList(parsing: $0, known: Self.mixerNames) })
  var mixers: NameList?

  private static var mixerNames: [String] { MixerName.allCases.map(\.rawValue) }

  func validate() throws {
    if positions != nil, context != nil {
      throw ValidationError("--context and --positions are different benchmarks: give one of them.")
    }
    if positions == nil, mixers != nil {
      throw ValidationError("--mixers goes with --positions; give, for example, --positions 0,20000.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    guard let positions else {
      let models = try config.names.map { ($0, try BenchPresets($0).model) }
      let contexts = (context ?? NumberList(256)).values
      return try BenchRun(call: call, options: bench)() { _ in
        models.flatMap { name, model in contexts.map { .decode(model, named: name, context: $0) } }
      }
    }
    let mixers = (mixers ?? NameList([MixerName.attention.rawValue])).names
    let models = try config.names.flatMap { name in
      try mixers.map { (name, $0, try BenchPresets(name, mixer: $0).model) }
    }
    return try BenchRun(call: call, options: bench, hasArithmetic: false)() { _ in
      models.map { .decode($2, named: $0, mixer: $1, behind: positions.values) }
    }
  }
}
