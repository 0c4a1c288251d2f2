import ArgumentParser
import Engine
import Kernels
import Terminal

/// `nibble bench matmul`: matrix products.
struct MatMulBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "matmul", abstract: "Time matrix products, on processors beside OpenBLAS's.",
    discussion: """
      CLBlast is measured, too, where libclblast.so.1 is installed. Lists and ranges give a matrix of runs: 256,512 and 256-4096*2 and 64-512+64.

      EXAMPLES
        nibble bench matmul --sizes 256-2048*2
        nibble bench matmul --m 2048 --n 384,1024 --k 384 --form nt,nn
        nibble bench matmul --shapes all --device pocl:0
      """)

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(help: "Square products of these sizes.", transform: NumberList.init(parsing:)) var sizes:
    NumberList?
  @Option(help: "Rows of the result.", transform: NumberList.init(parsing:)) var m: NumberList?
  @Option(help: "Columns of the result.", transform: NumberList.init(parsing:)) var n: NumberList?
  @Option(help: "Length of the sums.", transform: NumberList.init(parsing:)) var k: NumberList?
  @Option(
    help: "Which operands are stored transposed: nn, nt, tn, tt, separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: MatMulProblem.Form.allCases.map(\.rawValue)) })
  var form: NameList?
  @Option(help: "Products in one launch.", transform: NumberList.init(parsing:)) var batch: NumberList?
  @Option(
    help: "The products of these training configurations: tiny, small, base, gpt2, long, or all.",
    transform: { try NameList(parsing: $0, known: BenchPresets.names) })
  var shapes: NameList?

  func validate() throws {
    let hasAxis = m != nil || n != nil || k != nil
    if hasAxis, m == nil || n == nil || k == nil {
      throw ValidationError("--m, --n and --k belong together; for square products give --sizes 512.")
    }
    if [hasAxis, sizes != nil, shapes != nil].count(where: { $0 }) != 1 {
      throw ValidationError(
        "give one of --sizes, --shapes, or --m with --n and --k; for example --sizes 256-2048*2.")
    }
    if shapes != nil, form != nil || batch != nil {
      throw ValidationError("--shapes says the forms itself: leave out --form and --batch.")
    }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let problems = try shapes.map { try Self.products(of: $0.names) } ?? listed
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .matmul($0) } }
  }

  private var listed: [MatMulProblem] {
    let forms = (form?.names ?? ["nn"]).compactMap { MatMulProblem.Form(rawValue: $0) }
    let extents: [(m: Int, n: Int, k: Int)] =
      sizes.map { $0.values.map { ($0, $0, $0) } }
      ?? (m?.values ?? []).flatMap { m in
        (n?.values ?? []).flatMap { n in (k?.values ?? []).map { (m, n, $0) } }
      }
    return forms.flatMap { form in
      extents.flatMap { size in
        (batch?.values ?? [1]).map { MatMulProblem(form, m: size.m, n: size.n, k: size.k, batch: $0) }
      }
    }
  }

  private static func products(of presets: [String]) throws -> [MatMulProblem] {
    var seen: Set<MatMulProblem> = []
    return try presets.flatMap { name in
      let preset = try BenchPresets(name)
      return MatMulProblem.products(of: preset.model, tokens: preset.tokens)
    }.filter { seen.insert($0).inserted }
  }
}
