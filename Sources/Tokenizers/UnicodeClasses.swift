/// Classes of Unicode scalars, one byte for each, from `UnicodeTables`.
struct UnicodeClasses: Sendable {
  static let letter: UInt8 = 1
  static let number: UInt8 = 2
  static let space: UInt8 = 4
  static let word: UInt8 = 8
  /// Decomposes, has a combining class or may compose with what stands before it: NFC has to look.
  static let normalizes: UInt8 = 16

  /// The classes, built once.
  static let shared = UnicodeClasses()

  /// Indexed by scalar; everything beyond the end has no class.
  let bits: [UInt8]

  private init() {
    // Beyond the last ideograph of plane 3 only tags and private use follow: no letter, no number, but
    // variation selectors (marks) at E0100, which `contains` adds.
    var bits = [UInt8](repeating: 0, count: 0x33480)
    func mark(_ table: StaticString, _ flag: UInt8) {
      for range in UnicodeRangeReader.ranges(table) {
        for scalar in range where scalar < bits.count { bits[Int(scalar)] |= flag }
      }
    }
    mark(UnicodeTables.letters, Self.letter)
    mark(UnicodeTables.numbers, Self.number)
    mark(UnicodeTables.spaces, Self.space)
    mark(UnicodeTables.words, Self.word)
    for scalar in CanonicalNormalizer.shared.unstableScalars where scalar < bits.count {
      bits[Int(scalar)] |= Self.normalizes
    }
    self.bits = bits
  }

  /// The class bits of a scalar.
  @inline(__always)
  func callAsFunction(_ scalar: UInt32) -> UInt8 {
    if Int(scalar) < bits.count { return bits[Int(scalar)] }
    return (0xE0100...0xE01EF).contains(scalar) ? Self.word : 0
  }
}

/// Reads the items of a table: hexadecimal numbers and ranges.
enum UnicodeRangeReader {
  static func ranges(_ table: StaticString) -> [ClosedRange<UInt32>] {
    items(table).compactMap { range($0) }
  }

  static func items(_ table: StaticString) -> [Substring] {
    String(describing: table).split(separator: " ")
  }

  static func range(_ item: Substring) -> ClosedRange<UInt32>? {
    let ends = item.split(separator: "-").compactMap { UInt32($0, radix: 16) }
    guard let first = ends.first, let last = ends.last, first <= last else { return nil }
    return first...last
  }
}
