import Kernels

/// The head and its cross-entropy with all gradients, to be timed.
public struct CrossEntropyProblem: Sendable, Hashable {
  public var tokens: Int
  public var width: Int
  public var vocabulary: Int

  public init(tokens: Int, width: Int, vocabulary: Int) {
    self.tokens = tokens
    self.width = width
    self.vocabulary = vocabulary
  }

  private var options: CrossEntropyOptions { CrossEntropyOptions(scale: 1 / Double(tokens)) }

  /// Outputs: dweight, dhidden, loss, token losses, log-sum-exp.
  var problem: OperationProblem {
    let operation = LinearCrossEntropyWithGradient(options, hasBias: false)
    let inputs: [Sample.Input] = [
      .init([tokens, width]), .init([vocabulary, width], .float32, .normal(deviation: 0.05)),
      .init([tokens], .int32, .integers(0..<vocabulary)),
    ]
    var check = BenchmarkCheck([rowsPart(operation)], factor: 3)
    check.further = [lossSum, weightRows]
    return OperationProblem(operation, inputs, check: check)
  }

  /// A few rows against the whole vocabulary.
  private func rowsPart(_ operation: LinearCrossEntropyWithGradient) -> BenchmarkCheck.Part {
    let rows = BenchmarkChoice("rows").numbers(4, of: 0..<tokens)
    let elements = rows.flatMap { row in (0..<width).map { row * width + $0 } }
    return BenchmarkCheck.Part(
      operation: operation,
      inputs: [
        .init([rows.count, width], elements), .init([vocabulary, width]),
        .init([rows.count], rows, element: .int32),
      ],
      results: [
        .init(1, ofWhole: elements), .init(3, ofWhole: rows), .init(4, ofWhole: rows),
      ])
  }

  /// The loss is the sum of the token losses.
  private var lossSum: BenchmarkCheck.Further {
    let scale = options.scale
    return BenchmarkCheck.Further(output: 2, elements: [0]) { _, outputs in
      let truth = outputs[3].reduce(0) { $0 + Double($1) } * scale
      let plain = outputs[3].reduce(0) { $0 + $1 } * Float(scale)
      return ([truth], [Double(plain)])
    }
  }

  /// Rows of the weight's gradient, with the probabilities that the log-sum-exp gives.
  private var weightRows: BenchmarkCheck.Further {
    let chosen = BenchmarkChoice("columns").numbers(4, of: 0..<vocabulary)
    return BenchmarkCheck.Further(
      output: 0, elements: chosen.flatMap { column in (0..<width).map { column * width + $0 } }
    ) { inputs, outputs in
      let truth: [[Double]] = chosen.map { weightGradient($0, inputs, sums: outputs[4]) }
      let plain: [[Float]] = chosen.map { weightGradient($0, inputs, sums: outputs[4]) }
      return (truth.flatMap { $0 }, plain.flatMap { $0.map(Double.init) })
    }
  }

  private func weightGradient<Scalar: ReferenceScalar>(
    _ column: Int, _ inputs: [[Float]], sums: [Float],
  ) -> [Scalar] {
    var gradient = [Scalar](repeating: 0, count: width)
    for row in 0..<tokens {
      let logit = (0..<width).reduce(Scalar(0)) {
        $0 + Scalar(inputs[0][row * width + $1]) * Scalar(inputs[1][column * width + $1])
      }
      let target: Scalar = Int(inputs[2][row]) == column ? 1 : 0
      let slope = (Scalar.exp(logit - Scalar(sums[row])) - target) * Scalar(options.scale)
      for index in 0..<width { gradient[index] += slope * Scalar(inputs[0][row * width + index]) }
    }
    return gradient
  }
}

extension KernelBenchmark {
  /// Loss and all gradients of the head in one pass.
  public static func crossEntropy(_ problem: CrossEntropyProblem) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("tokens", "\(problem.tokens)"), .init("width", "\(problem.width)"),
      .init("vocabulary", "\(problem.vocabulary)"),
    ]
    let (hidden, weight) = ([problem.tokens, problem.width], [problem.vocabulary, problem.width])
    let tensors = [hidden, hidden, weight, weight].map { Shape($0) }
    return KernelBenchmark("cross_entropy", parameters, tensors: tensors) { device in
      try PreparedBenchmark(problem.problem, on: device)
    }
  }
}
