import ArgumentParser
import Engine
import Terminal

/// `nibble bench optimizer`: updates of parameters.
struct OptimizerBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "optimizer", abstract: "Time the update of parameters by an optimizer.",
    discussion: """
      Bytes are those that must be moved: parameter and state read and written, the gradient read.

      EXAMPLES
        nibble bench optimizer
        nibble bench optimizer --rule adamw --parameters 1000000-64000000*4
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "\(OptimizerCatalogue.names.joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: OptimizerCatalogue.names) })
  var rule = NameList(OptimizerCatalogue.names)
  @Option(
    help: "How states are stored: fp32, int8, or both.",
    transform: { try NameList(parsing: $0, known: Optimizer.StateFormat.allCases.map(\.rawValue)) })
  var state = NameList(["fp32"])
  @Option(help: "Number of parameters.", transform: NumberList.init(parsing:))
  var parameters = NumberList(32_000_000)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    // The option takes names of the catalogue only, so none is dropped.
    let rules = rule.names.compactMap { OptimizerCatalogue.rule(named: $0) }
    let states = state.names.compactMap { Optimizer.StateFormat(rawValue: $0) }
    return try BenchRun(call: call, options: bench)() { _ in
      rules.flatMap { rule in
        states.flatMap { state in parameters.values.map { .optimizer(rule, count: $0, state: state) } }
      }
    }
  }
}
