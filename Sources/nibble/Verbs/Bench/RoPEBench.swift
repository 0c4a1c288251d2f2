import ArgumentParser
import Engine
import Terminal

/// `nibble bench rope`: rotary positions.
struct RoPEBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "rope", abstract: "Time rotary positions.",
    discussion: """
      EXAMPLES
        nibble bench rope --time 512-8192*4 --heads 8 --width 64
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Tokens of a sequence.", transform: NumberList.init(parsing:)) var time = NumberList(2048)
  @Option(help: "Heads.", transform: NumberList.init(parsing:)) var heads = NumberList(8)
  @Option(help: "Values of a head, all of which turn.", transform: NumberList.init(parsing:))
  var width = NumberList(64)
  @Option(help: "Sequences.", transform: NumberList.init(parsing:)) var batch = NumberList(4)

  func validate() throws {
    if let width = width.values.first(where: { !$0.isMultiple(of: 2) }) {
      throw ValidationError("--width is \(width); pairs of values turn, so give an even number.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let problems = time.values.flatMap { time in
      heads.values.flatMap { heads in
        width.values.flatMap { width in batch.values.map { (time, heads, width, $0) } }
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in
      problems.map { .rope(batch: $3, time: $0, heads: $1, width: $2) }
    }
  }
}
