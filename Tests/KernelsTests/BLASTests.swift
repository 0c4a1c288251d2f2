import Kernels
import Testing

@Suite struct BLASTests {
  /// Whole numbers, so that products and sums are exact and the comparison needs no tolerance.
  private func matrix(_ rows: Int, _ stride: Int, seed: Int) -> [Float] {
    (0..<rows * stride).map { Float(($0 * 37 + seed * 11) % 17 - 8) }
  }

  @Test(arguments: [false, true], [false, true])
  func productEqualsThePlainLoop(transposeA: Bool, transposeB: Bool) {
    for (m, n, k) in [(1, 1, 1), (2, 3, 4), (17, 5, 9), (33, 65, 31), (1, 40, 7), (40, 1, 7), (5, 6, 0)] {
      // Rows are longer than needed: what lies behind them must not be read or written.
      let (lda, ldb, ldc) = ((transposeA ? m : k) + 3, (transposeB ? k : n) + 2, n + 5)
      let a = matrix(transposeA ? k : m, lda, seed: 1) + [0]
      let b = matrix(transposeB ? n : k, ldb, seed: 2) + [0]
      let start = matrix(m, ldc, seed: 3)
      for (alpha, beta) in [(Float(1), Float(0)), (2, 1), (-1, 0.5)] {
        var c = start
        BLAS.sgemm(
          transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda,
          b: b,
          ldb: ldb, beta: beta, c: &c, ldc: ldc)
        var expected = start
        for row in 0..<m {
          for column in 0..<n {
            var sum: Float = 0
            for i in 0..<k {
              sum +=
                a[transposeA ? i * lda + row : row * lda + i]
                * b[transposeB ? column * ldb + i : i * ldb + column]
            }
            expected[row * ldc + column] = alpha * sum + beta * expected[row * ldc + column]
          }
        }
        #expect(c == expected, "\(m) x \(n) x \(k), alpha \(alpha), beta \(beta)")
      }
    }
  }

  @Test func namesItsVersion() { #expect(BLAS.version.hasPrefix("OpenBLAS ")) }
}
