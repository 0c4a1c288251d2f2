/// What one call of `encode` works with: a cache of whole pieces and the scratch memory of the merge loop.
///
/// Merging follows rank order with a priority queue over a linked list of symbols, so a piece of n bytes
/// takes n log n steps.
struct BPEWorkspace: Sendable {
  private var cached = ByteStringTable(minimumCapacity: 4096)
  private var cachedIDs: [Int32] = []
  private var cachedEnds: [Int] = []

  private var symbols: [Int32] = []
  private var next: [Int] = []
  private var previous: [Int] = []
  /// Candidate merges, smallest first: rank in the high 24 bits, position in the low 40.
  private var queue: [UInt64] = []

  /// Longer pieces are rarely met twice.
  private static let longestCachedPiece = 64
  /// A full cache starts again from nothing: simple, and hot pieces return at once.
  private static let cacheCapacity = 1 << 16
  private static let positionBits: UInt64 = 40

  /// Most merges a model may have, so that a rank fits the queue's keys.
  static let maximumMergeCount = 1 << 24

  /// Appends the ids of a piece.
  @inline(__always)
  mutating func encode(_ text: Span<UInt8>, _ piece: Range<Int>, _ model: BPEModel, into ids: inout [Int32]) {
    if let number = cached.find(text, piece) {
      let start = number == 0 ? 0 : cachedEnds[number - 1]
      for index in start..<cachedEnds[number] { ids.append(cachedIDs[index]) }
    } else {
      encodeNew(text, piece, model, into: &ids)
    }
  }

  private mutating func encodeNew(
    _ text: Span<UInt8>, _ piece: Range<Int>, _ model: BPEModel, into ids: inout [Int32],
  ) {
    let start = ids.count
    if let whole = model.wholePieces?.find(text, piece) {
      ids.append(model.idsOfWholePieces[whole])
    } else {
      loadSymbols(text, piece, model)
      merge(model.pairs)
      for symbol in symbols where symbol >= 0 { ids.append(symbol) }
    }
    guard piece.count <= Self.longestCachedPiece else { return }
    if cached.count >= Self.cacheCapacity {
      cached.removeAll()
      cachedIDs.removeAll(keepingCapacity: true)
      cachedEnds.removeAll(keepingCapacity: true)
    }
    _ = cached.insert(text, piece)
    cachedIDs.append(contentsOf: ids[start...])
    cachedEnds.append(cachedIDs.count)
  }
}

extension BPEWorkspace {
  /// One symbol for each byte.
  ///
  /// A byte without token becomes the unknown token, or nothing where there is none, as in the reference
  /// library (loading has put that in the notices).
  private mutating func loadSymbols(_ text: Span<UInt8>, _ piece: Range<Int>, _ model: BPEModel) {
    symbols.removeAll(keepingCapacity: true)
    var followsUnknown = false
    for index in piece {
      let id = model.idsOfBytes[Int(text[index])]
      if id >= 0 {
        symbols.append(id)
      } else if let unknown = model.unknown, !(followsUnknown && model.fusesUnknown) {
        symbols.append(unknown)
      }
      followsUnknown = id < 0
    }
  }

  /// Merges neighbours until no pair has a merge.
  ///
  /// A symbol swallowed by its left neighbour becomes -1.
  private mutating func merge(_ pairs: PairTable) {
    let count = symbols.count
    guard count > 1 else { return }
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    queue.removeAll(keepingCapacity: true)
    for position in 0..<count {
      next.append(position + 1 < count ? position + 1 : -1)
      previous.append(position - 1)
    }
    for position in 0..<count - 1 { enqueue(position, position + 1, pairs) }
    while let candidate = popSmallest() {
      let position = Int(candidate & (1 << Self.positionBits - 1))
      // A candidate is stale when one of its symbols has been swallowed or has grown since.
      guard symbols[position] >= 0 else { continue }
      let right = next[position]
      guard right >= 0, let merge = pairs[symbols[position], symbols[right]],
        UInt64(merge.rank) == candidate >> Self.positionBits
      else { continue }
      symbols[position] = merge.result
      symbols[right] = -1
      next[position] = next[right]
      if next[right] >= 0 {
        previous[next[right]] = position
        enqueue(position, next[right], pairs)
      }
      if previous[position] >= 0 { enqueue(previous[position], position, pairs) }
    }
  }

  @inline(__always)
  private mutating func enqueue(_ left: Int, _ right: Int, _ pairs: PairTable) {
    guard let merge = pairs[symbols[left], symbols[right]] else { return }
    queue.append(UInt64(merge.rank) << Self.positionBits | UInt64(left))
    var child = queue.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard queue[child] < queue[parent] else { break }
      queue.swapAt(child, parent)
      child = parent
    }
  }

  @inline(__always)
  private mutating func popSmallest() -> UInt64? {
    guard let smallest = queue.first, let last = queue.popLast() else { return nil }
    guard !queue.isEmpty else { return smallest }
    queue[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < queue.count else { break }
      if child + 1 < queue.count, queue[child + 1] < queue[child] { child += 1 }
      guard queue[child] < queue[parent] else { break }
      queue.swapAt(child, parent)
      parent = child
    }
    return smallest
  }
}
