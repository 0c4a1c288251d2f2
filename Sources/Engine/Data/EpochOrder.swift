/// The order of an epoch's windows: a permutation of 0..<count that is computed, not stored.
///
/// A Feistel network permutes the smallest power of four that covers the count; results beyond the
/// count are permuted again until one fits (cycle walking; Black and Rogaway, "Ciphers with Arbitrary
/// Finite Domains", 2002). The domain is below four times the count, so a look-up takes fewer than four
/// walks on average.
struct EpochOrder: Sendable {
  /// Number of windows.
  let count: Int

  private let random: CounterRandom
  private let halfBits: UInt64

  /// Enough for the halves of a small domain to mix; the order needs to look random, not to be secret.
  private static let rounds: UInt64 = 8

  /// - Precondition: `count` is positive.
  init(count: Int, seed: UInt64, epoch: Int) {
    self.count = count
    random = CounterRandom(seed: seed, stream: "order of epoch \(epoch)")
    let bits = UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount)
    halfBits = max(1, (bits + 1) / 2)
  }

  /// The window at a place of the order.
  ///
  /// - Precondition: The place is in 0..<count.
  subscript(place: Int) -> Int {
    var value = UInt64(place)
    repeat { value = permuted(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func permuted(_ value: UInt64) -> UInt64 {
    let mask = (1 as UInt64) << halfBits - 1
    var left = value >> halfBits
    var right = value & mask
    for round in 0..<Self.rounds {
      let mixed = random.bits(round << halfBits | right) & mask
      (left, right) = (right, left ^ mixed)
    }
    return left << halfBits | right
  }
}
