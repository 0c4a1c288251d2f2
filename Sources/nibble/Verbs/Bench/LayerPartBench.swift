import ArgumentParser
import Engine
import Terminal

/// `nibble bench layer-parts`: the small operations round linear attention.
struct LayerPartBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "layer-parts",
    abstract: "Time the short convolution, unit rows, the gated RMSNorm and features, forward and backward.",
    discussion: """
      Each moves its tensors once, so its rate stands beside that of a copy. heads * width are the channels of the
      convolution.

      EXAMPLES
        nibble bench layer-parts
        nibble bench layer-parts --part causal_conv1d --time 1024-65536*4 --batch 1
      """)

  enum Pass: String, CaseIterable {
    case forward
    case backward
  }

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "\(LayerPart.allCases.map(\.rawValue).joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: LayerPart.allCases.map(\.rawValue)) })
  var part = NameList(LayerPart.allCases.map(\.rawValue))
  @Option(
    help: "forward, backward, separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: Pass.allCases.map(\.rawValue)) })
  var pass = NameList(Pass.allCases.map(\.rawValue))
  @Option(help: "Tokens of a sequence.", transform: NumberList.init(parsing:)) var time = NumberList(2048)
  @Option(help: "Heads.", transform: NumberList.init(parsing:)) var heads = NumberList(16)
  @Option(help: "Values of a head.", transform: NumberList.init(parsing:)) var width = NumberList(64)
  @Option(help: "Sequences.", transform: NumberList.init(parsing:)) var batch = NumberList(16)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let parts = part.names.compactMap { LayerPart(rawValue: $0) }.flatMap { part in
      pass.names.map { (part, $0 == Pass.backward.rawValue) }
    }
    let sizes = batch.values.flatMap { batch in
      time.values.flatMap { time in
        heads.values.flatMap { heads in width.values.map { (batch, time, heads, $0) } }
      }
    }
    let problems = parts.flatMap { part, isBackward in
      sizes.map { batch, time, heads, width in
        LayerPartProblem(part, isBackward: isBackward, batch: batch, time: time, heads: heads, width: width)
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .layerPart($0) } }
  }
}
