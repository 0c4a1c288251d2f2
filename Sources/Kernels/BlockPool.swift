extension Memory {
  /// Bytes that a device holds for a request of `byteCount` bytes: the size of the block that serves it.
  public static func blockByteCount(for byteCount: Int) -> Int { BlockPool<Void>.blockSize(for: byteCount) }
}

/// Free blocks of device memory, kept by size so that a step after the first allocates nothing.
///
/// Requests are rounded up to an eighth of an octave (at most 12.5 % larger), at least 4 KiB, so that similar
/// sizes share blocks. As every device orders its own work, a block may be reused as soon as its last tensor is
/// released, even while earlier launches that use it are still queued.
struct BlockPool<Block> {
  private var free: [Int: [Block]] = [:]
  private(set) var freeByteCount = 0

  /// The size of the block that serves a request of `byteCount` bytes.
  static func blockSize(for byteCount: Int) -> Int {
    let minimum = Memory.viewAlignment
    guard byteCount > minimum else { return minimum }
    let octave = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount)
    let step = max(minimum, octave / 16)
    return (byteCount + step - 1) / step * step
  }

  mutating func take(size: Int) -> Block? {
    guard let block = free[size]?.popLast() else { return nil }
    freeByteCount -= size
    return block
  }

  mutating func give(_ block: Block, size: Int) {
    free[size, default: []].append(block)
    freeByteCount += size
  }

  /// Removes and returns all free blocks, for the device to release.
  mutating func drain() -> [Block] {
    defer {
      free = [:]
      freeByteCount = 0
    }
    return free.values.flatMap { $0 }
  }
}
