import ArgumentParser
import Engine
import Terminal

/// `nibble bench elementwise`: functions of single elements.
struct ElementwiseBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "elementwise", abstract: "Time elementwise functions.",
    discussion: """
      EXAMPLES
        nibble bench elementwise
        nibble bench elementwise --function swiglu,swiglu_gradient --count 1000000-16000000*4
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help:
      "\(ElementwiseFunction.allCases.map(\.rawValue).joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: ElementwiseFunction.allCases.map(\.rawValue)) })
  var function = NameList(ElementwiseFunction.allCases.map(\.rawValue))
  @Option(help: "Number of elements.", transform: NumberList.init(parsing:)) var count = NumberList(
    32_000_000)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let functions = function.names.compactMap { ElementwiseFunction(rawValue: $0) }
    return try BenchRun(call: call, options: bench)() { _ in
      functions.flatMap { function in count.values.map { .elementwise(function, count: $0) } }
    }
  }
}
