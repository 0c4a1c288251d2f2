import ArgumentParser
import Engine
import Terminal

/// `nibble bench attention`: fused softmax attention.
struct AttentionBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "attention", abstract: "Time fused softmax attention, forward and backward.",
    discussion: """
      Work counts only pairs of queries and keys that causality and the window let through.

      EXAMPLES
        nibble bench attention --time 512-4096*2 --width 64,128
        nibble bench attention --time 2048 --heads 8 --pass both
        nibble bench attention --time 4096 --window 256 --pass forward
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Tokens of a sequence.", transform: NumberList.init(parsing:)) var time = NumberList(1024)
  @Option(help: "Query heads.", transform: NumberList.init(parsing:)) var heads = NumberList(8)
  @Option(
    name: .customLong("kv-heads"), help: "Key and value heads; those of the queries if not given.",
    transform: NumberList.init(parsing:)) var keyHeads: NumberList?
  @Option(help: "Values of a head.", transform: NumberList.init(parsing:)) var width = NumberList(64)
  @Option(help: "Sequences.", transform: NumberList.init(parsing:)) var batch = NumberList(1)
  @Option(help: "Keys that a query sees, itself included.", transform: NumberList.init(parsing:))
  var window: NumberList?
  @Flag(help: "Every query sees every key.") var full = false
  @Option(
    help: "forward, backward, both (one after the other), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: AttentionProblem.Pass.allCases.map(\.rawValue)) })
  var pass = NameList(AttentionProblem.Pass.allCases.map(\.rawValue))

  func validate() throws {
    if full, window != nil { throw ValidationError("--full and --window contradict each other; give one.") }
    let groups = keyHeads?.values ?? []
    for heads in heads.values {
      if let groups = groups.first(where: { !heads.isMultiple(of: $0) }) {
        throw ValidationError(
          "\(heads) heads are no multiple of \(groups) key heads; for example --kv-heads \(heads).")
      }
    }
    if let width = width.values.first(where: { !$0.isMultiple(of: 4) || $0 > 256 }) {
      throw ValidationError("--width is \(width); give a multiple of 4 from 4 to 256.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let shapes = width.values.flatMap { width in
      time.values.flatMap { time in
        heads.values.flatMap { heads in
          (keyHeads?.values ?? [heads]).flatMap { keyHeads in
            batch.values.map { (width, time, heads, keyHeads, $0) }
          }
        }
      }
    }
    let passes = pass.names.compactMap { AttentionProblem.Pass(rawValue: $0) }
    let windows: [Int?] = window?.values ?? [nil]
    let problems = shapes.flatMap { width, time, heads, keyHeads, batch in
      windows.flatMap { window in
        passes.map {
          AttentionProblem(
            $0, batch: batch, time: time, heads: heads, keyHeads: keyHeads, width: width, isCausal: !full,
            window: window)
        }
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .attention($0) } }
  }
}
