extension RowConfiguration {
  /// Norms of heads, of small and of large models.
  static var tuningProblems: [TuningProblem] {
    [64, 384, 2048].map { dim in
      let problem = RowConfiguration.problem(length: dim)
      return TuningProblem(
        RowConfiguration.self, problem: problem,
        checks: RMSNorm.samples.filter {
          RowConfiguration.problem(length: $0.inputs[0].type.shape.last) == problem
        }
      ) { _ in
        [false, true].flatMap { hasResidual in
          let norm = NormProblem(
            .rms, isBackward: false, rows: (1 << 22) / dim, dim: dim, hasResidual: hasResidual)
          return [norm.forward, norm.backward]
        }
      }
    }
  }
}

extension ElementwiseConfiguration {
  /// A gated activation: three streams with some arithmetic.
  static var tuningProblems: [TuningProblem] {
    let count = 1 << 22
    let operation = ElementwiseFunction.swiglu.operation
    return [
      TuningProblem(ElementwiseConfiguration.self, problem: "any", checks: Array(Pointwise.samples.prefix(6)))
      { _ in
        let chosen = BenchmarkChoice("elements").numbers(1000, of: 0..<count)
        let inputs = 0..<operation.program.inputCount
        let part = BenchmarkCheck.Part(
          operation: operation, inputs: inputs.map { _ in .init([chosen.count], chosen) },
          results: [.init(0, ofWhole: chosen)])
        return [
          OperationProblem(operation, inputs.map { _ in .init([count]) }, check: BenchmarkCheck([part]))
        ]
      }
    ]
  }
}
