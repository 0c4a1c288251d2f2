/// Merges keyed by the pair of ids they join: open addressing, one probe in the usual case.
struct PairTable: Sendable {
  /// What a pair becomes.
  struct Merge: Sendable, Equatable {
    /// Position in the list of merges; lower goes first.
    let rank: UInt32
    let result: Int32
  }

  private var keys: [UInt64]
  private var merges: [Merge]
  private let shift: UInt64

  private static let free = UInt64.max

  /// - Parameter count: How many merges will be inserted at most.
  init(count: Int) {
    var bits: UInt64 = 4
    while 1 << Int(bits) < count * 2 { bits += 1 }
    keys = [UInt64](repeating: Self.free, count: 1 << Int(bits))
    merges = [Merge](repeating: Merge(rank: 0, result: 0), count: keys.count)
    shift = 64 - bits
  }

  /// The merge of two ids, which are not negative.
  @inline(__always)
  subscript(left: Int32, right: Int32) -> Merge? {
    let key = Self.key(left, right)
    var slot = home(key)
    while keys[slot] != Self.free {
      if keys[slot] == key { return merges[slot] }
      slot = (slot + 1) & (keys.count - 1)
    }
    return nil
  }

  /// Inserts a merge; says whether it replaced an earlier one of the same pair.
  mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) -> Bool {
    let key = Self.key(left, right)
    var slot = home(key)
    while keys[slot] != Self.free, keys[slot] != key { slot = (slot + 1) & (keys.count - 1) }
    let replaces = keys[slot] == key
    keys[slot] = key
    merges[slot] = merge
    return replaces
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Multiplicative hashing by 2^64 / golden ratio.
  @inline(__always)
  private func home(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
  }
}
