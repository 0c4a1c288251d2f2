import Kernels

extension RowConfiguration {
  /// Norms of heads, of small and of large models.
  static var tuningProblems: [TuningProblem] {
    [64, 384, 2048].map { dim in
      let problem = RowConfiguration.problem(length: dim)
      return TuningProblem(
        RowConfiguration.self, problem: problem, checks: checks(length: dim - 3)
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

extension RowConfiguration {
  /// Every operation on rows, on a few rows whose length no number of lanes divides.
  static func checks(length: Int) -> [Sample] {
    let rows = 5
    let norms = [NormProblem.Kind.rms, .layer].flatMap { kind in
      [false, true].flatMap { hasResidual in
        [false, true].map { isBackward in
          let norm = NormProblem(
            kind, isBackward: isBackward, rows: rows, dim: length, hasResidual: hasResidual)
          let name = (isBackward ? "gradient " : "") + (hasResidual ? "residual " : "")
          return Sample("\(name)\(rows)x\(length)", isBackward ? norm.backward : norm.forward)
        }
      }
    }
    let logits: [Sample.Input] = [
      .init([rows, length], .float32, .normal(deviation: 2)),
      .init([rows], .int32, .values([0, Float(length - 1), -100, 7, Float(length / 2)])),
    ]
    let options = CrossEntropyOptions(labelSmoothing: 0.1, zLoss: 0.02, scale: 0.25)
    let gradient = CrossEntropyGradient(options, cotangents: CrossEntropyCotangents(ofLoss: true))
    return norms + [
      Sample("\(rows)x\(length)", CrossEntropy(options), logits, gradients: []),
      Sample("gradient \(rows)x\(length)", gradient, logits + [.init([1])], gradients: []),
    ]
  }
}

extension Sample {
  /// The operation of a problem on the problem's values; gradients are not asked for.
  fileprivate init(_ label: String, _ problem: OperationProblem) {
    let inputs = zip(problem.types, problem.values).map { Input($0.shape, $0.element, .values($1)) }
    self.init(label, problem.operation, inputs, gradients: [])
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
