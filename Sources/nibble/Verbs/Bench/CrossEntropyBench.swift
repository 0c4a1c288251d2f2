import ArgumentParser
import Engine
import Terminal

/// `nibble bench cross-entropy`: the head with its loss and gradients.
struct CrossEntropyBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "cross-entropy", abstract: "Time the head with its cross-entropy and all gradients.",
    discussion: """
      EXAMPLES
        nibble bench cross-entropy --tokens 2048 --width 512 --vocabulary 8192
        nibble bench cross-entropy --tokens 512 --width 768 --vocabulary 50257
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Rows.", transform: NumberList.init(parsing:)) var tokens = NumberList(2048)
  @Option(help: "Values of a row.", transform: NumberList.init(parsing:)) var width = NumberList(512)
  @Option(help: "Columns of the logits.", transform: NumberList.init(parsing:)) var vocabulary = NumberList(
    8192)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let problems = tokens.values.flatMap { tokens in
      width.values.flatMap { width in
        vocabulary.values.map { CrossEntropyProblem(tokens: tokens, width: width, vocabulary: $0) }
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .crossEntropy($0) } }
  }
}
