import ArgumentParser
import Engine
import Terminal

/// `nibble bench norm`: RMSNorm and LayerNorm.
struct NormBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "norm", abstract: "Time RMSNorm and LayerNorm, forward and backward.",
    discussion: """
      Bytes are those that must be moved: inputs once, results once.

      EXAMPLES
        nibble bench norm --rows 2048 --dim 512-4096*2
        nibble bench norm --rows 65536 --dim 1024 --kind rms_norm --pass forward
      """)

  enum Pass: String, CaseIterable {
    case forward
    case backward
  }
  enum Residual: String, CaseIterable {
    case with
    case without
  }

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Rows, normalized one by one.", transform: NumberList.init(parsing:)) var rows = NumberList(
    65_536)
  @Option(help: "Values of a row.", transform: NumberList.init(parsing:)) var dim = NumberList(1024)
  @Option(
    help: "rms_norm, layer_norm, separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: NormProblem.Kind.allCases.map(\.rawValue)) })
  var kind = NameList(NormProblem.Kind.allCases.map(\.rawValue))
  @Option(
    help: "forward, backward, separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: Pass.allCases.map(\.rawValue)) })
  var pass = NameList(Pass.allCases.map(\.rawValue))
  @Option(
    help: "with or without the addition of the residual stream, separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: Residual.allCases.map(\.rawValue)) })
  var residual = NameList(Residual.allCases.map(\.rawValue))

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let forms = kind.names.compactMap { NormProblem.Kind(rawValue: $0) }.flatMap { kind in
      pass.names.flatMap { pass in residual.names.map { (kind, pass == "backward", $0 == "with") } }
    }
    let problems = forms.flatMap { kind, isBackward, hasResidual in
      rows.values.flatMap { rows in
        dim.values.map {
          NormProblem(kind, isBackward: isBackward, rows: rows, dim: $0, hasResidual: hasResidual)
        }
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .norm($0) } }
  }
}
