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
    guard let a = HostArray<Float>(a), let b = HostArray<Float>(b), let c = HostArray<Float>(c) else {
      return
    }
    HostProduct(
      transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, beta: accumulates ? 1 : 0
    ).run(
      .init(a.pointer + offsets.a, stride: transposeA ? m : k),
      .init(b.pointer + offsets.b, stride: transposeB ? k : n),
      .init(c.pointer + offsets.c, stride: n), on: threads)
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
