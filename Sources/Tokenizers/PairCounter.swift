/// Counts of neighbouring tokens in the pieces of a text, kept up to date while pairs are merged.
///
/// A merge visits only pieces that contain its pair. A heap holds pairs by count; entries that have become
/// too high are corrected when they surface.
struct PairCounter {
  /// A pair and how often it occurs.
  struct Pair {
    let left: Int32
    let right: Int32
    let count: Int
  }

  /// Tokens of all pieces, one after another; a piece shrinks in place.
  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var lengths: [Int] = []
  private let pieceCounts: [Int]

  /// Pairs seen so far: number of a pair by its key, then key, count and pieces by number.
  private var numbers: [UInt64: Int] = [:]
  private var keys: [UInt64] = []
  private var counts: [Int] = []
  private var pieces: [[Int32]] = []

  private var heap: [Entry] = []
  /// Pairs whose count grew during a merge.
  private var grown: [Int] = []

  private struct Entry {
    let count: Int
    let number: Int
    let key: UInt64

    /// More frequent first, then smaller ids.
    func precedes(_ other: Entry) -> Bool {
      count != other.count ? count > other.count : key < other.key
    }
  }

  init(pieces texts: ByteStringTable, counts: [Int], byteIDs: [Int32]) {
    pieceCounts = counts
    for piece in 0..<texts.count {
      starts.append(symbols.count)
      for byte in texts[piece] { symbols.append(byteIDs[Int(byte)]) }
      lengths.append(symbols.count - starts[piece])
      for index in starts[piece]..<max(starts[piece], symbols.count - 1) {
        change(symbols[index], symbols[index + 1], by: pieceCounts[piece], piece)
      }
    }
    for number in keys.indices { push(number) }
    grown.removeAll()
  }

  /// Takes the most frequent pair from the heap.
  mutating func popMostFrequent() -> Pair? {
    while let entry = pop() {
      let count = counts[entry.number]
      if count == entry.count, count > 0 {
        let left = Int32(truncatingIfNeeded: entry.key >> 32)
        return Pair(left: left, right: Int32(truncatingIfNeeded: entry.key), count: count)
      }
      // Higher counts have an entry of their own.
      if count < entry.count, count > 0 { push(entry.number) }
    }
    return nil
  }

  /// Replaces a pair by a token wherever it occurs, from left to right.
  mutating func merge(_ pair: Pair, into token: Int32) {
    guard let number = numbers[Self.key(pair.left, pair.right)] else { return }
    let affected = pieces[number]
    pieces[number] = []
    for piece in affected { merge(pair, into: token, piece: Int(piece)) }
    for number in grown { push(number) }
    grown.removeAll(keepingCapacity: true)
  }

  private mutating func merge(_ pair: Pair, into token: Int32, piece: Int) {
    let start = starts[piece]
    let end = start + lengths[piece]
    let weight = pieceCounts[piece]
    var read = start
    var write = start
    while read < end {
      guard read + 1 < end, symbols[read] == pair.left, symbols[read + 1] == pair.right else {
        symbols[write] = symbols[read]
        read += 1
        write += 1
        continue
      }
      change(pair.left, pair.right, by: -weight, piece)
      if write > start {
        change(symbols[write - 1], pair.left, by: -weight, piece)
        change(symbols[write - 1], token, by: weight, piece)
      }
      if read + 2 < end {
        change(pair.right, symbols[read + 2], by: -weight, piece)
        change(token, symbols[read + 2], by: weight, piece)
      }
      symbols[write] = token
      read += 2
      write += 1
    }
    lengths[piece] = write - start
  }

  private mutating func change(_ left: Int32, _ right: Int32, by amount: Int, _ piece: Int) {
    let key = Self.key(left, right)
    let number: Int
    if let known = numbers[key] {
      number = known
    } else {
      number = keys.count
      numbers[key] = number
      keys.append(key)
      counts.append(0)
      pieces.append([])
    }
    counts[number] += amount
    guard amount > 0 else { return }
    // Pieces are worked on in turn, so a repetition is always at the end.
    if pieces[number].last != Int32(piece) { pieces[number].append(Int32(piece)) }
    if grown.last != number { grown.append(number) }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}

extension PairCounter {
  private mutating func push(_ number: Int) {
    guard counts[number] > 0 else { return }
    heap.append(Entry(count: counts[number], number: number, key: keys[number]))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func pop() -> Entry? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return first
  }
}
