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
    try DeviceMatMul.enqueue(
      on: self, a: a, b: b, c: c, m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB,
      accumulates: accumulates, offsets: offsets)
  }
}

/// The product kernel of OpenCL devices.
enum DeviceMatMul {
  /// Rows and columns of `c` per work-item.
  private static let tile = (rows: 4, columns: 16)

  /// Enqueues `c = op(a) op(b)` or `c += op(a) op(b)`; see ``MatMulDevice``.
  static func enqueue(
    on device: OpenCLDevice, a: Memory, b: Memory, c: Memory, m: Int, n: Int, k: Int, transposeA: Bool,
    transposeB: Bool, accumulates: Bool, offsets: (a: Int, b: Int, c: Int) = (0, 0, 0),
  ) throws {
    guard m > 0, n > 0 else { return }
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt64, UInt64, UInt64,
        UInt64, UInt64, UInt64, UInt64,
      > = try device.kernel("product", generated: "product", source: { source })
    kernel(
      Buffer(a), Buffer(b), Buffer(c), UInt32(m), UInt32(n), UInt32(k), accumulates ? 1 : 0,
      UInt64(offsets.a), UInt64(transposeA ? 1 : k), UInt64(transposeA ? m : 1),
      UInt64(offsets.b), UInt64(transposeB ? 1 : n), UInt64(transposeB ? k : 1), UInt64(offsets.c),
      over: .groups((n + tile.columns - 1) / tile.columns, (m + tile.rows - 1) / tile.rows))
  }

  private static var source: String {
    """
    #define TILE_ROWS \(tile.rows)
    #define TILE_COLUMNS \(tile.columns)

    // One work-item per tile of c. Element (i, p) of op(a) lies at a_offset + i * a_row + p * a_depth, element
    // (p, j) of op(b) at b_offset + p * b_depth + j * b_column; one of each pair of strides is 1.
    kernel __attribute__((reqd_work_group_size(1, 1, 1)))
    void product(const global float *a, const global float *b, global float *c, const uint m, const uint n,
                 const uint k, const uint accumulates, const ulong a_offset, const ulong a_row,
                 const ulong a_depth, const ulong b_offset, const ulong b_depth, const ulong b_column,
                 const ulong c_offset) {
      const uint column = (uint)get_group_id(0) * TILE_COLUMNS, row = (uint)get_group_id(1) * TILE_ROWS;
      const uint columns = min(n - column, (uint)TILE_COLUMNS), rows = min(m - row, (uint)TILE_ROWS);
      float16 sums[TILE_ROWS];
      for (uint i = 0; i < TILE_ROWS; i++) sums[i] = 0.0f;
      float values[TILE_COLUMNS];
      for (uint j = 0; j < TILE_COLUMNS; j++) values[j] = 0.0f;
      b += b_offset + column * b_column;
      a += a_offset + row * a_row;
      for (uint p = 0; p < k; p++) {
        float16 y;
        if (b_column == 1 && columns == TILE_COLUMNS) {
          y = vload16(0, b + p * b_depth);
        } else {
          for (uint j = 0; j < columns; j++) values[j] = b[p * b_depth + j * b_column];
          y = vload16(0, values);
        }
        for (uint i = 0; i < TILE_ROWS; i++) {
          // Rows past the edge repeat the last one and are not stored.
          const float x = a[min(i, rows - 1) * a_row + p * a_depth];
          sums[i] = fma((float16)(x), y, sums[i]);
        }
      }
      for (uint i = 0; i < rows; i++) {
        vstore16(sums[i], 0, values);
        global float *target = c + c_offset + (row + i) * (ulong)n + column;
        for (uint j = 0; j < columns; j++) target[j] = accumulates ? target[j] + values[j] : values[j];
      }
    }

    """
  }
}
