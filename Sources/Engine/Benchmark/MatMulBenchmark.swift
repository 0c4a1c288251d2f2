import Kernels

/// A matrix product to be timed.
public struct MatMulProblem: Sendable, Hashable {
  /// Which operands are stored transposed: `nt` is `a b^T`.
  public enum Form: String, Sendable, Hashable, CaseIterable {
    case nn
    case nt
    case tn
    case tt

    var transposesA: Bool { self == .tn || self == .tt }
    var transposesB: Bool { self == .nt || self == .tt }
  }

  public var form: Form
  /// Rows of the result.
  public var m: Int
  /// Columns of the result.
  public var n: Int
  /// Length of the sums.
  public var k: Int
  /// Products in one launch.
  public var batch: Int

  public init(_ form: Form, m: Int, n: Int, k: Int, batch: Int = 1) {
    self.form = form
    self.m = m
    self.n = n
    self.k = k
    self.batch = batch
  }

  /// All products of linear layers in a training step, forward and both gradients, each once.
  ///
  /// - Parameter tokens: Rows of the activations: those of one micro-batch.
  public static func products(of model: ModelConfiguration, tokens: Int) -> [MatMulProblem] {
    let (width, hidden) = (model.modelDimension, model.hiddenDimension)
    let queries = model.heads * model.headDimension
    let layers: [(inputs: Int, outputs: Int)] = [
      (width, queries), (width, model.keyValueHeads * model.headDimension), (queries, width),
      (width, hidden), (hidden, width), (width, model.vocabularySize),
    ]
    var seen: Set<MatMulProblem> = []
    return layers.flatMap { layer in
      [
        MatMulProblem(.nt, m: tokens, n: layer.outputs, k: layer.inputs),
        MatMulProblem(.nn, m: tokens, n: layer.inputs, k: layer.outputs),
        MatMulProblem(.tn, m: layer.outputs, n: layer.inputs, k: tokens),
      ]
    }.filter { seen.insert($0).inserted }
  }

  var operation: MatMul {
    MatMul(transposeA: form.transposesA, transposeB: form.transposesB, isBatched: batch > 1)
  }

  private func shape(_ rows: Int, _ columns: Int, transposed: Bool, batch: Int) -> Shape {
    Shape((batch > 1 ? [batch] : []) + (transposed ? [columns, rows] : [rows, columns]))
  }

  var inputs: [Sample.Input] {
    [
      .init(shape(m, k, transposed: form.transposesA, batch: batch), .float32, .uniform(-1...1)),
      .init(shape(k, n, transposed: form.transposesB, batch: batch), .float32, .uniform(-1...1)),
    ]
  }

  /// Some rows times some columns, of the first and the last product of a batch.
  var check: BenchmarkCheck {
    let rows = BenchmarkChoice("rows").numbers(20, of: 0..<m)
    let columns = BenchmarkChoice("columns").numbers(20, of: 0..<n)
    let operation = MatMul(transposeA: form.transposesA, transposeB: form.transposesB)
    let batches = Set([0, batch - 1]).sorted()
    return BenchmarkCheck(
      batches.map { item in
        let a = elements(rows, of: m, transposed: form.transposesA, offset: item * m * k)
        let b = elements(columns, of: n, transposed: !form.transposesB, offset: item * k * n)
        return BenchmarkCheck.Part(
          operation: operation,
          inputs: [
            .init(shape(rows.count, k, transposed: form.transposesA, batch: 1), a),
            .init(shape(k, columns.count, transposed: form.transposesB, batch: 1), b),
          ],
          results: [
            .init(0, ofWhole: rows.flatMap { row in columns.map { (item * m + row) * n + $0 } })
          ])
      })
  }

  /// Elements of chosen vectors of length k: rows of a matrix [lines, k], or columns of [k, lines] in that order.
  private func elements(_ chosen: [Int], of lines: Int, transposed: Bool, offset: Int) -> [Int] {
    transposed
      ? (0..<k).flatMap { inner in chosen.map { offset + inner * lines + $0 } }
      : chosen.flatMap { line in (0..<k).map { offset + line * k + $0 } }
  }
}

extension KernelBenchmark {
  /// A matrix product, on processors beside OpenBLAS's, and beside CLBlast's where it is installed.
  public static func matmul(_ problem: MatMulProblem) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] =
      [
        .init("form", problem.form.rawValue), .init("m", "\(problem.m)"), .init("n", "\(problem.n)"),
        .init("k", "\(problem.k)"),
      ] + (problem.batch > 1 ? [.init("batch", "\(problem.batch)")] : [])
    let product: Shape = [problem.batch, problem.m, problem.n]
    let tensors = problem.inputs.map(\.type.shape) + [product]
    return KernelBenchmark("matmul", parameters, tensors: tensors) { device in
      let whole = OperationProblem(problem.operation, problem.inputs, check: problem.check)
      let tensors = try OperationTensors(whole, on: device)
      var prepared = PreparedBenchmark(whole, tensors, on: device)
      if device.description.isProcessor { prepared.rivals.append(try openBLAS(problem, whole)) }
      if let device = device as? OpenCLDevice, let library = CLBlast() {
        prepared.rivals.append(try clBlast(library, problem, whole, tensors.inputs, on: device))
      }
      return prepared
    }
  }

  /// The same product by OpenBLAS, a batch as one call after the other.
  private static func openBLAS(
    _ problem: MatMulProblem, _ whole: OperationProblem,
  ) throws -> PreparedBenchmark.Rival {
    let host = HostDevice()
    let tensors = try OperationTensors(whole, on: host)
    let (m, n, k) = (problem.m, problem.n, problem.k)
    return PreparedBenchmark.Rival(
      name: "openblas",
      run: {
        guard let a = HostArray<Float>(tensors.inputs[0].memory),
          let b = HostArray<Float>(tensors.inputs[1].memory),
          let c = HostArray<Float>(tensors.outputs[0].memory)
        else { return }
        for item in 0..<problem.batch {
          BLAS.sgemm(
            transposeA: problem.form.transposesA, transposeB: problem.form.transposesB, m: m, n: n, k: k,
            a: a.pointer + item * m * k, lda: problem.form.transposesA ? m : k, b: b.pointer + item * k * n,
            ldb: problem.form.transposesB ? k : n, beta: 0, c: c.pointer + item * m * n, ldc: n)
        }
      }, finish: { try host.finish() }, verify: { try whole.verify(tensors.outputValues(on: host)) })
  }

  /// The same product of the same inputs by CLBlast, a batch as one call after the other.
  private static func clBlast(
    _ library: CLBlast, _ problem: MatMulProblem, _ whole: OperationProblem, _ inputs: [Tensor],
    on device: OpenCLDevice,
  ) throws -> PreparedBenchmark.Rival {
    let (m, n, k) = (problem.m, problem.n, problem.k)
    let result = Tensor(
      [Float](repeating: .nan, count: problem.batch * m * n), shape: [problem.batch * m, n], on: device)
    return PreparedBenchmark.Rival(
      name: "clblast",
      run: {
        for item in 0..<problem.batch {
          library.multiply(
            inputs[0].memory, inputs[1].memory, to: result.memory, m: m, n: n, k: k,
            transposeA: problem.form.transposesA, transposeB: problem.form.transposesB,
            offsets: (item * m * k, item * k * n, item * m * n), on: device)
        }
      }, finish: { try device.finish() }, verify: { try whole.verify([result.floats(on: device)]) })
  }
}
