import ArgumentParser
import Engine
import Terminal

/// `nibble bench linear-attention`: the recurrences of the linear mixers.
struct LinearAttentionBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "linear-attention",
    abstract: "Time the recurrences of the linear mixers, forward, backward and token by token.",
    discussion: """
      Work counts the products of the chunked form, which is what runs, and what the token by token form does with the \
      state in decoding. Some columns of one head of every result are checked against the definition. Decoding times one \
      token behind a state, whatever --time says. VS SOFTMAX of --attention is how many times as fast as causal softmax \
      attention of the same lengths the recurrence is.

      EXAMPLES
        nibble bench linear-attention --time 512-4096*2
        nibble bench linear-attention --mixers gated_delta --pass forward,backward --time 16384
        nibble bench linear-attention --mixers retention --pass forward --attention --time 512-4096*2
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "Mixers: \(Self.mixerNames.joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: Self.mixerNames) })
  var mixers = NameList(Self.mixerNames)
  @Option(help: "Tokens of a sequence.", transform: NumberList.init(parsing:)) var time = NumberList(1024)
  @Option(help: "Heads.", transform: NumberList.init(parsing:)) var heads = NumberList(8)
  @Option(help: "Values of a query's and a key's head.", transform: NumberList.init(parsing:))
  var width = NumberList(64)
  @Option(
    help: "Values of a value's head; those of a key's if not given.", transform: NumberList.init(parsing:))
  var valueWidth: NumberList?
  @Option(help: "Sequences.", transform: NumberList.init(parsing:)) var batch = NumberList(1)
  @Option(
    help: "forward, backward (the gradient alone), decode (one token), separated by commas, or all.",
    transform: {
      try NameList(parsing: $0, known: LinearAttentionProblem.Pass.allCases.map(\.rawValue))
    })
  var pass = NameList(LinearAttentionProblem.Pass.allCases.map(\.rawValue))
  @Flag(help: "Also time causal softmax attention of the same lengths, in alternation.") var attention = false

  private static var mixerNames: [String] { LinearAttentionProblem.Mixer.allCases.map(\.rawValue) }

  func validate() throws {
    let widest = LinearAttentionProblem.largestWidth
    for (option, list) in [("--width", width), ("--value-width", valueWidth ?? width)] {
      if let width = list.values.first(where: { $0 > widest }) {
        throw ValidationError("\(option) is \(width); give a number from 1 to \(widest).")
      }
    }
    guard attention else { return }
    if valueWidth != nil {
      throw ValidationError("--attention needs values as wide as keys; give --width alone.")
    }
    if let width = width.values.first(where: { !$0.isMultiple(of: 4) || $0 > 256 }) {
      throw ValidationError(
        "--width is \(width); with --attention give a multiple of 4 from 4 to 256.")
    }
    if pass.names.contains(LinearAttentionProblem.Pass.decode.rawValue) {
      throw ValidationError("--attention is not timed in decoding; give --pass forward,backward.")
    }
  }

  private var problems: [LinearAttentionProblem] {
    let passes = pass.names.compactMap { LinearAttentionProblem.Pass(rawValue: $0) }
    let mixers = mixers.names.compactMap { LinearAttentionProblem.Mixer(rawValue: $0) }
    let shapes = width.values.flatMap { width in
      (valueWidth?.values ?? [width]).flatMap { valueWidth in
        heads.values.flatMap { heads in batch.values.map { (width, valueWidth, heads, $0) } }
      }
    }
    return shapes.flatMap { width, valueWidth, heads, batch in
      mixers.flatMap { mixer in
        passes.flatMap { pass in
          (pass == .decode ? [1] : time.values).map {
            LinearAttentionProblem(
              mixer, pass, batch: batch, time: $0, heads: heads, width: width, valueWidth: valueWidth)
          }
        }
      }
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let problems = problems
    return try BenchRun(call: call, options: bench)() { _ in
      problems.map { .linearAttention($0, besideAttention: attention) }
    }
  }
}
