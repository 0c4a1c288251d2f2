import Kernels

/// The classes of head widths of the attention families, at sizes of real models.
enum AttentionTuning {
  private static let time = 1024
  private static let heads = 8

  static var problems: [TuningProblem] {
    AttentionShape.widths.flatMap { width in
      let name = AttentionShape.problem(width: width)
      let checks = AttentionChecks(width: width)
      let problem = AttentionProblem(.forward, time: time, heads: heads, keyHeads: heads, width: width)
      return [
        TuningProblem(
          AttentionForwardConfiguration.self, problem: name,
          checks: checks.blocks(hasGradient: false)
        ) { _ in [problem.forward] },
        TuningProblem(
          AttentionBackwardConfiguration.self, problem: name,
          checks: checks.blocks(hasGradient: true)
        ) { device in
          let forward = try OperationTensors(problem.forward, on: device)
          try device.execute(problem.forward.operation, forward.inputs, forward.outputs)
          return [problem.backward(problem.forward.values, try forward.outputValues(on: device))]
        },
        TuningProblem(
          AttentionDecodeConfiguration.self, problem: name, checks: checks.decode
        ) { _ in [decode(width: width, keys: 2 * time)] },
      ]
    }
  }

  /// One new token against many keys.
  private static func decode(width: Int, keys: Int) -> OperationProblem {
    let operation = Attention(AttentionOptions(scale: 1 / Float(width).squareRoot(), isCausal: true))
    let inputs: [Sample.Input] = [
      .init([1, 1, heads, width]), .init([1, keys, heads, width]), .init([1, keys, heads, width]),
    ]
    let part = BenchmarkCheck.Part(
      operation: operation, inputs: inputs.map { .init($0.type.shape) },
      results: [.init(0, ofWhole: Array(0..<heads * width)), .init(1, ofWhole: Array(0..<heads))])
    return OperationProblem(operation, inputs, check: BenchmarkCheck([part]))
  }
}
