import ArgumentParser
import Engine
import Terminal

/// `nibble bench linear-attention`: the recurrences of the linear mixers.
struct LinearAttentionBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "linear-attention",
    abstract: "Time the recurrences of the linear mixers, forward, backward and token by token.",
    discussion: """
      Work counts what the token by token form does with the state; the chunked form, which is what runs, does more. One \
      whole head of every result is checked against the definition. Decoding times one token behind a state, whatever \
      --time says. What norm_attention, diag_attention, flow and hedgehog do between queries, keys and values and the \
      output is several operations, and their backward is timed with the forward ("step"). lightning has the recurrence \
      of retention, mamba2 that of scalar_gate. s4d has heads * value-width channels of width / 2 complex states.

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

  private static var mixerNames: [String] {
    LinearAttentionProblem.Mixer.allCases.map(\.rawValue)
      + ComposedMixerProblem.Mixer.allCases.map(\.rawValue) + [StateSpaceProblem.mixer]
  }

  func validate() throws {
    let widest = LinearAttentionProblem.largestWidth
    for (option, list) in [("--width", width), ("--value-width", valueWidth ?? width)] {
      if let width = list.values.first(where: { $0 > widest }) {
        throw ValidationError("\(option) is \(width); give a number from 1 to \(widest).")
      }
    }
    guard attention else { return }
    if let name = mixers.names.first(where: { LinearAttentionProblem.Mixer(rawValue: $0) == nil }) {
      throw ValidationError("--attention is timed beside single recurrences; leave \(name) out of --mixers.")
    }
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

  private typealias Sizes = (width: Int, valueWidth: Int, heads: Int, batch: Int)

  private var sizes: [Sizes] {
    width.values.flatMap { width in
      (valueWidth?.values ?? [width]).flatMap { valueWidth in
        heads.values.flatMap { heads in batch.values.map { (width, valueWidth, heads, $0) } }
      }
    }
  }

  private var benchmarks: [KernelBenchmark] {
    sizes.flatMap { sizes in
      mixers.names.flatMap { mixer in
        pass.names.compactMap { LinearAttentionProblem.Pass(rawValue: $0) }.flatMap { pass in
          (pass == .decode ? [1] : time.values).compactMap { benchmark(mixer, pass, time: $0, sizes) }
        }
      }
    }
  }

  private func benchmark(
    _ mixer: String, _ pass: LinearAttentionProblem.Pass, time: Int, _ sizes: Sizes,
  ) -> KernelBenchmark? {
    if let mixer = LinearAttentionProblem.Mixer(rawValue: mixer) {
      let problem = LinearAttentionProblem(
        mixer, pass, batch: sizes.batch, time: time, heads: sizes.heads, width: sizes.width,
        valueWidth: sizes.valueWidth)
      return .linearAttention(problem, besideAttention: attention)
    }
    if mixer == StateSpaceProblem.mixer {
      return .stateSpace(
        StateSpaceProblem(
          pass, batch: sizes.batch, time: time, channels: sizes.heads * sizes.valueWidth,
          states: max(1, sizes.width / 2)))
    }
    let passes: [LinearAttentionProblem.Pass: ComposedMixerProblem.Pass] = [
      .forward: .forward, .backward: .step, .decode: .decode,
    ]
    guard let mixer = ComposedMixerProblem.Mixer(rawValue: mixer), let pass = passes[pass] else { return nil }
    return .composedMixer(
      ComposedMixerProblem(
        mixer, pass, batch: sizes.batch, time: time, heads: sizes.heads, width: sizes.width,
        valueWidth: sizes.valueWidth))
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let benchmarks = benchmarks
    return try BenchRun(call: call, options: bench)() { _ in benchmarks }
  }
}
