import Kernels

/// Matrix products inside composed operations: on memory, with offsets, without a tensor per operand.
protocol MatMulDevice: OperationDevice {
  /// `c = op(a) op(b)`, or `c += op(a) op(b)`; row-major and dense.
  ///
  /// - Parameters:
  ///   - m: Rows of op(a) and c.
  ///   - n: Columns of op(b) and c.
  ///   - k: Columns of op(a), rows of op(b).
  ///   - offsets: The first element of each matrix in its memory.
  func multiply(
    _ a: Memory, _ b: Memory, to c: Memory, m: Int, n: Int, k: Int, transposeA: Bool, transposeB: Bool,
    accumulates: Bool, offsets: (a: Int, b: Int, c: Int),
  ) throws
}

extension HostDevice: MatMulDevice {
  func multiply(
    _ a: Memory, _ b: Memory, to c: Memory, m: Int, n: Int, k: Int, transposeA: Bool, transposeB: Bool,
    accumulates: Bool, offsets: (a: Int, b: Int, c: Int),
  ) throws {
    guard m > 0, n > 0, let a = HostArray<Float>(a), let b = HostArray<Float>(b), let c = HostArray<Float>(c)
    else { return }
    // BLAS demands a leading dimension of at least 1 even where there are no columns.
    BLAS.sgemm(
      transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k,
      a: a.pointer + offsets.a, lda: max(1, transposeA ? m : k),
      b: b.pointer + offsets.b, ldb: max(1, transposeB ? k : n),
      beta: accumulates ? 1 : 0, c: c.pointer + offsets.c, ldc: n)
  }
}

extension OpenCLDevice: MatMulDevice {
  func multiply(
    _ a: Memory, _ b: Memory, to c: Memory, m: Int, n: Int, k: Int, transposeA: Bool, transposeB: Bool,
    accumulates: Bool, offsets: (a: Int, b: Int, c: Int),
  ) throws {
    try MatMulLaunch(
      a: a, b: b, c: c, size: MatMul.Extents(batch: 1, m: m, n: n, k: k), transposeA: transposeA,
      transposeB: transposeB, accumulates: accumulates, offsets: offsets
    ).enqueue(on: self)
  }
}
