import Kernels

/// Products of a few rows on graphics processors: the kernels of `matmul_skinny.cl`.
extension MatMulLaunch {
  func enqueue(_ shape: MatMulSkinnyRows, on device: OpenCLDevice) throws {
    let isWide = size.k.isMultiple(of: 4) && offsets.a.isMultiple(of: 4) && offsets.b.isMultiple(of: 4)
    try enqueueSkinny(
      "matmul_skinny_rows", lanes: shape.lanes, columns: shape.columns, isWide: isWide, on: device)
  }

  func enqueue(_ shape: MatMulSkinnyColumns, on device: OpenCLDevice) throws {
    let isWide = size.n.isMultiple(of: 4) && offsets.b.isMultiple(of: 4)
    try enqueueSkinny(
      "matmul_skinny_columns", lanes: shape.lanes, columns: shape.lanes / shape.slices * (isWide ? 4 : 1),
      isWide: isWide, on: device)
  }

  private func enqueueSkinny(
    _ name: String, lanes: Int, columns: Int, isWide: Bool, on device: OpenCLDevice,
  ) throws {
    let held = [1, 2, 4].first { $0 >= size.m } ?? MatMulClass.skinnyRows
    let isWideC = size.n.isMultiple(of: 4) && offsets.c.isMultiple(of: 4)
    let definitions = [
      "B_TRANSPOSED": transposeB ? "1" : "0", "LANES": "\(lanes)", "COLUMNS": "\(columns)", "ROWS": "\(held)",
      "WIDE": isWide ? "1" : "0", "C_WIDE": isWideC ? "1" : "0",
    ]
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
      > = try device.kernel(name, in: "matmul_skinny", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(size.k), flags, activationCode, UInt64(offsets.a), strides.a, UInt64(offsets.b), strides.b,
      UInt64(offsets.c), strides.c, over: .groups(Self.quotient(size.n, columns), 1, size.batch))
  }
}
