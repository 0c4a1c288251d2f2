import Kernels

/// How the linear mixers' kernels for graphics processors divide their chunks (`kernels/chunk_tiles.cl`).
struct ChunkTiles: Hashable {
  /// Tokens per chunk.
  static let chunk = 64
  /// Rows and columns of a result per work-group, 4 x 4 of them per work-item.
  let tile: Int
  /// Work-items per work-group of the kernels without tiles.
  let items: Int

  /// The largest tile whose work-group the device runs and whose operands lie in local memory.
  ///
  /// Half of the 32 KiB that every device has: two work-groups of a compute unit hide each other's latency.
  ///
  /// - Parameter operands: Tiles of operands in a kernel.
  init(for device: DeviceDescription, operands: Int = 2) {
    let fitting = [64, 32, 16, 8].first { tile in
      // 16 terms of a sum, their rows 4 floats longer than the tile.
      let byteCount = operands * 16 * (tile + 4) * MemoryLayout<Float>.size
      return tile / 4 * (tile / 4) <= device.largestWorkGroup
        && byteCount <= min(16 << 10, device.localMemoryByteCount)
    }
    tile = fitting ?? 4
    // An item keeps a column of a chunk in local memory.
    let columns = device.localMemoryByteCount / (Self.chunk * MemoryLayout<Float>.size)
    items = device.lanes(atMost: min(64, max(1, columns)))
  }

  private var definitions: [String: String] {
    ["CHUNK": "\(Self.chunk)", "TILE": "\(tile)", "ITEMS": "\(items)"]
  }

  func tiles(_ count: Int) -> Int { (count + tile - 1) / tile }

  func kernel<each Argument: KernelArgument>(
    _ name: String, in family: String = "chunk_tiled", keyWidth: Int? = nil, on device: OpenCLDevice,
  ) throws -> Kernel<repeat each Argument> {
    let width = keyWidth.map { ["WIDTH": "\($0)"] } ?? [:]
    return try device.kernel(name, in: family, definitions.merging(width) { $1 })
  }

  /// Work-groups of the kernels without tiles that cover so many elements.
  func groups(_ count: Int) -> Int { (count + items - 1) / items }

  /// Those that go token by token: the columns of every head's state.
  func stepGroups(_ size: RecurrenceExtents) -> Geometry {
    .groups(groups(size.valueWidth), 1, size.batch * size.heads)
  }
}

extension RecurrenceExtents {
  /// Chunks of the kernels for graphics processors.
  var chunks: Int { (time + ChunkTiles.chunk - 1) / ChunkTiles.chunk }
}
