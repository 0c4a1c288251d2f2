import CHost

/// One matrix product on the host: `c = alpha op(a) op(b) + beta c`, row-major.
///
/// On processors with AVX2 or AVX-512 it is the register tile of `CHost`, which uses the machine's widest vectors
/// whatever kernels the installed BLAS was built for, and whose threads are the same as those of all other loops;
/// elsewhere it is BLAS.
public struct HostProduct: Sendable {
  public let transposeA: Bool
  public let transposeB: Bool
  /// Rows of op(a) and c.
  public let m: Int
  /// Columns of op(b) and c.
  public let n: Int
  /// Columns of op(a), rows of op(b).
  public let k: Int
  public let alpha: Float
  public let beta: Float

  public init(
    transposeA: Bool = false, transposeB: Bool = false, m: Int, n: Int, k: Int, alpha: Float = 1,
    beta: Float = 0,
  ) {
    self.transposeA = transposeA
    self.transposeB = transposeB
    self.m = m
    self.n = n
    self.k = k
    self.alpha = alpha
    self.beta = beta
  }

  /// A matrix in memory.
  public struct Operand: @unchecked Sendable {
    // The product is the only one that writes, to disjoint blocks of c.
    let pointer: UnsafeMutablePointer<Float>
    let stride: Int

    /// - Parameter stride: Elements between rows as stored.
    public init(_ pointer: UnsafeMutablePointer<Float>, stride: Int) {
      self.pointer = pointer
      self.stride = stride
    }
  }

  /// Whether the tiles of `CHost` are used and not BLAS.
  static let hasTiles = nibble_product_is_vectorized() != 0

  /// Runs on the calling thread, inside a loop that is already split over threads.
  ///
  /// Where this is BLAS, the loop stands in ``BLAS/singleThreaded(restoring:_:)``.
  public func run(_ a: Operand, _ b: Operand, _ c: Operand) {
    guard m > 0, n > 0 else { return }
    guard Self.hasTiles else { return runBLAS(a, b, c) }
    nibble_product(
      transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, alpha, a.pointer, a.stride, b.pointer, b.stride, beta,
      c.pointer, c.stride)
  }

  /// Runs on all threads; the bits of the result do not depend on their number.
  public func run(_ a: Operand, _ b: Operand, _ c: Operand, on threads: HostThreads) {
    guard m > 0, n > 0 else { return }
    guard Self.hasTiles else { return runBLAS(a, b, c) }
    let grid = Grid(m: m, n: n, threads: threads.count)
    threads.forRanges(grid.count, grain: 1) { range in
      for index in range { part(grid, index, a, b, c) }
    }
  }

  private func runBLAS(_ a: Operand, _ b: Operand, _ c: Operand) {
    // BLAS demands a leading dimension of at least 1 even where there are no columns.
    BLAS.sgemm(
      transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, alpha: alpha, a: a.pointer,
      lda: max(1, a.stride), b: b.pointer, ldb: max(1, b.stride), beta: beta, c: c.pointer, ldc: c.stride)
  }

  /// One block of c.
  private func part(_ grid: Grid, _ index: Int, _ a: Operand, _ b: Operand, _ c: Operand) {
    let row = index / grid.across * grid.rows
    let column = index % grid.across * grid.columns
    let block = HostProduct(
      transposeA: transposeA, transposeB: transposeB, m: min(grid.rows, m - row),
      n: min(grid.columns, n - column), k: k, alpha: alpha, beta: beta)
    block.run(
      Operand(a.pointer + (transposeA ? row : row * a.stride), stride: a.stride),
      Operand(b.pointer + (transposeB ? column * b.stride : column), stride: b.stride),
      Operand(c.pointer + row * c.stride + column, stride: c.stride))
  }

  /// How c is cut into blocks: small enough for the second-level cache, large enough to hide the packing of their
  /// operands, and several for every thread.
  private struct Grid {
    let rows: Int
    let columns: Int
    let down: Int
    let across: Int
    var count: Int { down * across }

    init(m: Int, n: Int, threads: Int) {
      var down = (m + 383) / 384
      var across = (n + 511) / 512
      func split(while count: Int, rows: Int, columns: Int) {
        while down * across < count {
          if m / down >= n / across, m / (2 * down) >= rows {
            down *= 2
          } else if n / (2 * across) >= columns {
            across *= 2
          } else if m / (2 * down) >= rows {
            down *= 2
          } else {
            return
          }
        }
      }
      split(while: 4 * threads, rows: 192, columns: 256)
      split(while: threads, rows: 48, columns: 64)
      // Whole register tiles: 12 x 32 divides into those of every instruction set.
      rows = ((m + down - 1) / down + 11) / 12 * 12
      columns = ((n + across - 1) / across + 31) / 32 * 32
      self.down = (m + rows - 1) / rows
      self.across = (n + columns - 1) / columns
    }
  }
}
