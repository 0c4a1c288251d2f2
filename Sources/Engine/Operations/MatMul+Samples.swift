extension MatMul {
  public static var samples: [Sample] {
    transposeSamples + epilogueSamples + batchSamples + skinnySamples + blockedSamples + splitSamples
      + emptySamples
  }

  /// - Parameter checksGradient: False for sizes at which finite differences would take minutes.
  private static func sample(
    _ label: String, _ operation: MatMul, m: Int, n: Int, k: Int, batch: Int? = nil,
    checksGradient: Bool = true,
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
      initialOutput: operation.accumulates ? .normal(deviation: 1) : nil,
      gradients: checksGradient ? nil : [],
      differentiableOutputs: [0])
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

  private static let transposes: [(label: String, a: Bool, b: Bool)] = [
    ("nn", false, false), ("nt", false, true), ("tn", true, false), ("tt", true, true),
  ]

  /// Several tiles and blocks with edges on all sides; multiples of four and others, packed and in place.
  private static var blockedSamples: [Sample] {
    transposes.flatMap { transpose in
      [(131, 150, 121), (132, 152, 120)].map { m, n, k in
        sample(
          "blocked \(transpose.label)", MatMul(transposeA: transpose.a, transposeB: transpose.b), m: m, n: n,
          k: k, checksGradient: false)
      }
    } + [
      // Rows of a that lie 4 KiB apart.
      sample("blocked nt", MatMul(transposeB: true), m: 24, n: 130, k: 1024, checksGradient: false),
      sample(
        "blocked bias", MatMul(transposeB: true, hasBias: true, activation: .silu, hasResidual: true), m: 70,
        n: 66, k: 522, checksGradient: false),
      sample("skinny nt", MatMul(transposeB: true), m: 5, n: 140, k: 516, checksGradient: false),
      sample("skinny nn", MatMul(), m: 5, n: 140, k: 516, checksGradient: false),
    ]
  }

  /// Small results of long sums: k is divided where many work-groups run at once.
  private static var splitSamples: [Sample] {
    transposes.map { transpose in
      sample(
        "split \(transpose.label)",
        MatMul(transposeA: transpose.a, transposeB: transpose.b, accumulates: true),
        m: 20, n: 24, k: 700, checksGradient: false)
    } + [
      sample(
        "split epilogue", MatMul(transposeB: true, hasBias: true, activation: .gelu, hasResidual: true),
        m: 21,
        n: 27, k: 701, checksGradient: false),
      sample(
        "split batch", MatMul(transposeA: true, isBatched: true), m: 13, n: 10, k: 530, batch: 2,
        checksGradient: false),
    ]
  }

  /// Sums of nothing: the epilogue of 0.
  private static var emptySamples: [Sample] {
    transposes.map { transpose in
      sample(
        "empty \(transpose.label)", MatMul(transposeA: transpose.a, transposeB: transpose.b), m: 13, n: 35,
        k: 0)
    } + [
      sample("empty accumulate", MatMul(accumulates: true), m: 13, n: 35, k: 0),
      sample("empty skinny", MatMul(transposeB: true, hasBias: true), m: 2, n: 9, k: 0),
      sample(
        "empty batch bias", MatMul(isBatched: true, hasBias: true, hasResidual: true), m: 9, n: 5, k: 0,
        batch: 2),
    ]
  }
}
