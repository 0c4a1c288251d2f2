import Kernels
import Testing

@Suite struct HostProductTests {
  /// Whole numbers, so that products and sums are exact and the comparison needs no tolerance.
  private func matrix(_ rows: Int, _ stride: Int, seed: Int) -> [Float] {
    (0..<rows * stride).map { Float(($0 * 37 + seed * 11) % 17 - 8) } + [0]
  }

  /// Fractions, whose sums depend on the order of additions.
  private func fractions(_ count: Int, seed: Int) -> [Float] {
    (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 1009) / 1009 - 0.5 }
  }

  private func run(
    _ product: HostProduct, _ a: [Float], _ b: [Float], _ c: inout [Float], strides: (Int, Int, Int),
    threads: Int?,
  ) {
    var (a, b) = (a, b)
    a.withUnsafeMutableBufferPointer { a in
      b.withUnsafeMutableBufferPointer { b in
        c.withUnsafeMutableBufferPointer { c in
          guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
          let operands = [(a, strides.0), (b, strides.1), (c, strides.2)].map {
            HostProduct.Operand($0.0, stride: $0.1)
          }
          if let threads {
            product.run(operands[0], operands[1], operands[2], on: HostThreads(count: threads))
          } else {
            product.run(operands[0], operands[1], operands[2])
          }
        }
      }
    }
  }

  @Test(arguments: [false, true], [false, true])
  func equalsThePlainLoop(transposeA: Bool, transposeB: Bool) {
    let sizes = [
      (1, 1, 1), (2, 3, 4), (17, 5, 9), (33, 65, 31), (1, 40, 7), (40, 1, 7), (5, 6, 0), (12, 32, 256),
      (25, 33, 515), (400, 70, 3), (3, 530, 5),
    ]
    for (m, n, k) in sizes {
      // Rows are longer than needed: what lies behind them must not be read or written.
      let (lda, ldb, ldc) = ((transposeA ? m : k) + 3, (transposeB ? k : n) + 2, n + 5)
      let a = matrix(transposeA ? k : m, lda, seed: 1)
      let b = matrix(transposeB ? n : k, ldb, seed: 2)
      let start = matrix(m, ldc, seed: 3)
      for (alpha, beta) in [(Float(1), Float(0)), (2, 1), (-1, 0.5)] {
        var expected = start
        for row in 0..<m {
          for column in 0..<n {
            let sum = (0..<k).reduce(Float(0)) {
              $0 + a[transposeA ? $1 * lda + row : row * lda + $1]
                * b[transposeB ? column * ldb + $1 : $1 * ldb + column]
            }
            expected[row * ldc + column] = alpha * sum + beta * expected[row * ldc + column]
          }
        }
        let product = HostProduct(
          transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, alpha: alpha, beta: beta)
        for threads in [nil, 2] {
          var c = start
          run(product, a, b, &c, strides: (lda, ldb, ldc), threads: threads)
          #expect(c == expected, "\(m) x \(n) x \(k), alpha \(alpha), beta \(beta)")
        }
      }
    }
  }

  @Test func bitsDoNotDependOnTheNumberOfThreads() {
    for (m, n, k) in [(430, 300, 700), (100, 1100, 270), (64, 64, 64)] {
      let (a, b) = (fractions(m * k, seed: 1), fractions(k * n, seed: 2))
      let product = HostProduct(m: m, n: n, k: k, alpha: 0.3, beta: 1)
      let results = [1, 2, 5, 16].map { threads in
        var c = fractions(m * n, seed: 3)
        run(product, a, b, &c, strides: (k, n, n), threads: threads)
        return c.map(\.bitPattern)
      }
      #expect(Set(results).count == 1, "\(m) x \(n) x \(k)")
    }
  }

  @Test func whatCIsDoesNotMatterWithoutBeta() {
    var c = [Float](repeating: .nan, count: 13 * 37)
    run(
      HostProduct(m: 13, n: 37, k: 5), fractions(13 * 5, seed: 1), fractions(5 * 37, seed: 2), &c,
      strides: (5, 37, 37), threads: nil)
    #expect(c.allSatisfy { $0.isFinite })
  }
}
