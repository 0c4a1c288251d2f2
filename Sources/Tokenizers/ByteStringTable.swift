/// Byte strings numbered from 0 in order of insertion, found by content.
///
/// Open addressing over one arena: no allocation for each string, and parts of a text are looked up where
/// they lie.
struct ByteStringTable: Sendable {
  private var arena: [UInt8] = []
  /// Begin of every string in the arena, and its end as the last element.
  private var offsets: [Int] = [0]
  private var hashes: [UInt64] = []
  /// Number + 1 of a string; 0 marks a free slot.
  private var slots: [UInt32]

  init(minimumCapacity: Int = 16) {
    var size = 32
    while size < minimumCapacity * 2 { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
  }

  /// How many strings there are.
  var count: Int { hashes.count }

  /// Bytes of all strings together.
  var byteCount: Int { arena.count }

  /// The bytes of a string.
  subscript(number: Int) -> ArraySlice<UInt8> { arena[offsets[number]..<offsets[number + 1]] }

  /// The number of a part of a text, nil when it was never inserted.
  @inline(__always)
  func find(_ text: Span<UInt8>, _ range: Range<Int>) -> Int? {
    find(text, range, hash: Self.hash(text, range))
  }

  /// Inserts a part of a text unless it is there; says its number and whether it is new.
  mutating func insert(_ text: Span<UInt8>, _ range: Range<Int>) -> (number: Int, isNew: Bool) {
    let hash = Self.hash(text, range)
    if let number = find(text, range, hash: hash) { return (number, false) }
    if (count + 1) * 2 > slots.count { grow() }
    arena.append(text, range)
    offsets.append(arena.count)
    hashes.append(hash)
    occupy(hash, count)
    return (count - 1, true)
  }

  /// Forgets every string but keeps the memory.
  mutating func removeAll() {
    arena.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    offsets.append(0)
    hashes.removeAll(keepingCapacity: true)
    for slot in slots.indices { slots[slot] = 0 }
  }
}

extension ByteStringTable {
  /// FNV-1a with the high bits mixed down.
  @inline(__always)
  private static func hash(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in range { hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01B3 }
    return hash ^ hash >> 32
  }

  @inline(__always)
  private func find(_ text: Span<UInt8>, _ range: Range<Int>, hash: UInt64) -> Int? {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      if hashes[number] == hash, equals(number, text, range) { return number }
      slot = (slot + 1) & mask
    }
    return nil
  }

  @inline(__always)
  private func equals(_ number: Int, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = offsets[number]
    guard offsets[number + 1] - start == range.count else { return false }
    for index in 0..<range.count where arena[start + index] != text[range.lowerBound + index] { return false }
    return true
  }

  private mutating func occupy(_ hash: UInt64, _ numberAfter: Int) {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(numberAfter)
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    for (number, hash) in hashes.enumerated() { occupy(hash, number + 1) }
  }
}

extension ByteStringTable {
  /// The number of a string's UTF-8 bytes.
  func find(_ string: String) -> Int? {
    let span = string.utf8Span.span
    return find(span, 0..<span.count)
  }

  /// Inserts a string's UTF-8 bytes.
  @discardableResult
  mutating func insert(_ string: String) -> (number: Int, isNew: Bool) {
    let span = string.utf8Span.span
    return insert(span, 0..<span.count)
  }

  /// Inserts bytes.
  @discardableResult
  mutating func insert(_ bytes: [UInt8]) -> (number: Int, isNew: Bool) {
    insert(bytes.span, bytes.indices)
  }
}
