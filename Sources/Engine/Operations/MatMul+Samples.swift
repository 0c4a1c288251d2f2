extension MatMul {
  public static var samples: [Sample] { transposeSamples + epilogueSamples + batchSamples + skinnySamples }

  private static func sample(
    _ label: String, _ operation: MatMul, m: Int, n: Int, k: Int, batch: Int? = nil,
  ) -> Sample {
    let front = batch.map { [$0] } ?? []
    var inputs: [Sample.Input] = [
      .init(Shape(front + (operation.transposeA ? [k, m] : [m, k]))),
      .init(Shape(front + (operation.transposeB ? [n, k] : [k, n]))),
    ]
    if operation.hasBias { inputs.append(.init([n])) }
    if operation.hasResidual { inputs.append(.init(Shape(front + [m, n]))) }
    return Sample(
      "\(label) \(m)x\(n)x\(k)", operation, inputs,
      initialOutput: operation.accumulates ? .normal(deviation: 1) : nil, differentiableOutputs: [0])
  }

  private static var transposeSamples: [Sample] {
    [(false, false), (false, true), (true, false), (true, true)].flatMap { a, b in
      [(1, 1, 1), (5, 7, 3), (16, 17, 31), (33, 15, 6), (49, 34, 40)].flatMap { m, n, k in
        [false, true].map { accumulates in
          sample(
            "\(a ? "t" : "n")\(b ? "t" : "n")\(accumulates ? " accumulate" : "")",
            MatMul(transposeA: a, transposeB: b, accumulates: accumulates), m: m, n: n, k: k)
        }
      }
    }
  }

  private static var epilogueSamples: [Sample] {
    Activation.allCases.map { activation in
      sample(
        "\(activation.rawValue)",
        MatMul(
          transposeB: true, hasBias: true, activation: activation, hasResidual: true, keepsPreactivation: true
        ),
        m: 7, n: 19, k: 5)
    } + [
      sample("bias", MatMul(hasBias: true), m: 13, n: 33, k: 4),
      sample("residual", MatMul(transposeB: true, hasResidual: true), m: 3, n: 8, k: 9),
    ]
  }

  private static var batchSamples: [Sample] {
    [
      sample("batch nn", MatMul(isBatched: true), m: 5, n: 6, k: 7, batch: 3),
      sample("batch nt", MatMul(transposeB: true, isBatched: true), m: 9, n: 2, k: 4, batch: 2),
      sample("batch tn", MatMul(transposeA: true, isBatched: true), m: 4, n: 18, k: 3, batch: 2),
      sample("batch bias", MatMul(isBatched: true, hasBias: true), m: 4, n: 5, k: 3, batch: 2),
    ]
  }

  /// Decoding: one to eight rows against a weight.
  private static var skinnySamples: [Sample] {
    [1, 2, 3, 8].flatMap { rows in
      [
        sample("skinny nt", MatMul(transposeB: true), m: rows, n: 37, k: 29),
        sample("skinny nn", MatMul(), m: rows, n: 37, k: 29),
        sample("skinny bias", MatMul(transposeB: true, hasBias: true), m: rows, n: 11, k: 17),
      ]
    }
  }
}
