extension MatMulConfiguration {
  /// One per ``MatMulClass``.
  static var tuningProblems: [TuningProblem] {
    MatMulClass.allCases.map { problem in
      TuningProblem(MatMulConfiguration.self, problem: problem.rawValue, checks: checks(of: problem)) { _ in
        problem.representatives.map { OperationProblem($0.operation, $0.inputs, check: $0.check) }
      }
    }
  }

  /// The family's samples with the operands stored as in `problem`: odd sizes, epilogues, batches.
  private static func checks(of problem: MatMulClass) -> [Sample] {
    MatMul.samples.filter { sample in
      guard let product = sample.operation as? MatMul else { return false }
      let size = product.extents(sample.inputs[0].type.shape, sample.inputs[1].type.shape)
      let own = MatMulClass(
        m: size.m, n: size.n, k: size.k, batch: size.batch, transposeA: product.transposeA,
        transposeB: product.transposeB)
      return own.form == problem.form && own.isSkinny == problem.isSkinny
    }
  }
}
