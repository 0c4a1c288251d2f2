import Kernels

/// Products on graphics processors: the kernels of `matmul_tiled.cl`.
extension MatMulLaunch {
  func enqueue(_ tiles: MatMulTiles, on device: OpenCLDevice) throws {
    let definitions = tiles.definitions.merging(layout) { $1 }
    let splits = splits(tiles, units: device.description.computeUnits)
    guard splits.count > 1 else {
      return try enqueueTiles(tiles, definitions, to: c, isPartial: false, depth: splits.depth, on: device)
    }
    let partial = device.allocate(splits.count * size.batch * size.m * size.n, of: .float32)
    try enqueueTiles(
      tiles, definitions, to: partial, isPartial: true, splits: splits.count, depth: splits.depth, on: device)
    try enqueueSum(of: partial, tiles, definitions, splits: splits.count, on: device)
  }

  /// How the operands are stored, and which of them can be moved in vectors of four.
  private var layout: [String: String] {
    let isWide = { (length: Int, offset: Int) in length.isMultiple(of: 4) && offset.isMultiple(of: 4) }
    let wideA = isWide(transposeA ? size.m : size.k, offsets.a)
    let wideB = isWide(transposeB ? size.k : size.n, offsets.b)
    return [
      "A_TRANSPOSED": transposeA ? "1" : "0", "B_TRANSPOSED": transposeB ? "1" : "0",
      "A_WIDE": wideA ? "1" : "0", "B_WIDE": wideB ? "1" : "0",
      "C_WIDE": isWide(size.n, offsets.c) ? "1" : "0",
    ]
  }

  /// Work-groups per compute unit that hide the latency of memory.
  private static let groupsPerUnit = 4
  /// Steps along k below which a part of it is not worth a work-group.
  private static let stepsPerSplit = 8

  /// Into how many parts k is divided, and their length: one part where the grid is large enough without.
  private func splits(_ tiles: MatMulTiles, units: Int) -> (count: Int, depth: Int) {
    let groups = Self.quotient(size.m, tiles.rows) * Self.quotient(size.n, tiles.columns) * size.batch
    let wanted = Self.groupsPerUnit * units / groups
    let possible = size.k / (Self.stepsPerSplit * tiles.depth)
    let parts = max(1, min(wanted, possible, tiles.splits))
    let depth = Self.quotient(max(1, Self.quotient(size.k, parts)), tiles.depth) * tiles.depth
    return (max(1, Self.quotient(size.k, depth)), depth)
  }

  private func enqueueTiles(
    _ tiles: MatMulTiles, _ definitions: [String: String], to target: Memory, isPartial: Bool,
    splits: Int = 1,
    depth: Int, on device: OpenCLDevice,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32, UInt32, UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
      > = try device.kernel("matmul_tiled", in: "matmul_tiled", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(target), Buffer(isPartial ? nil : bias),
      Buffer(isPartial ? nil : residual),
      UInt32(size.m), UInt32(size.n), UInt32(size.k), UInt32(size.batch), UInt32(depth),
      isPartial ? 0 : flags, isPartial ? 0 : activationCode, UInt64(offsets.a), strides.a, lda,
      UInt64(offsets.b), strides.b, ldb, isPartial ? 0 : UInt64(offsets.c), strides.c, UInt64(size.n),
      over: .groups(
        Self.quotient(size.n, tiles.columns), Self.quotient(size.m, tiles.rows), splits * size.batch))
  }

  private func enqueueSum(
    of partial: Memory, _ tiles: MatMulTiles, _ definitions: [String: String], splits: Int,
    on device: OpenCLDevice,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32,
        UInt32, UInt64
      > = try device.kernel("matmul_split_sum", in: "matmul_tiled", definitions)
    let items = size.m * Self.quotient(size.n, 4)
    kernel(
      Buffer(partial), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(splits), UInt32(size.batch), flags, activationCode, UInt64(offsets.c),
      over: .groups(Self.quotient(items, tiles.sumLanes), 1, size.batch))
  }
}
