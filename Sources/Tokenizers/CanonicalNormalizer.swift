/// Canonical decomposition and composition (Unicode Standard Annex 15: NFD and NFC).
///
/// Knows Unicode 9.0, as the normalizer of the reference tokenizer library does: ids must be equal, and
/// characters added later have not been composed in the text any published model was trained on.
final class CanonicalNormalizer: Sendable {
  static let shared = CanonicalNormalizer()

  private let decompositions: [UInt32: [UInt32]]
  private let compositions: [UInt64: UInt32]
  private let combiningClasses: [UInt32: UInt8]

  /// Scalars at which a text may change under NFC, apart from those of Hangul.
  private let unstable: Set<UInt32>

  private init() {
    var decompositions: [UInt32: [UInt32]] = [:]
    var compositions: [UInt64: UInt32] = [:]
    var classes: [UInt32: UInt8] = [:]
    var unstable: Set<UInt32> = []
    for item in UnicodeRangeReader.items(UnicodeTables.combiningClasses) {
      let parts = item.split(separator: ":")
      guard parts.count == 2, let value = UInt8(parts[0], radix: 16) else { continue }
      guard let range = UnicodeRangeReader.range(parts[1]) else { continue }
      for scalar in range { classes[scalar] = value }
      unstable.formUnion(range)
    }
    for item in UnicodeRangeReader.items(UnicodeTables.decompositions) {
      let parts = item.split(whereSeparator: { $0 == "=" || $0 == ">" || $0 == "." })
      let scalars = parts.compactMap { UInt32($0, radix: 16) }
      guard let composed = scalars.first else { continue }
      decompositions[composed] = Array(scalars.dropFirst())
      if item.contains("="), scalars.count == 3 {
        compositions[Self.key(scalars[1], scalars[2])] = composed
        unstable.insert(scalars[2])
      } else {
        unstable.insert(composed)
      }
    }
    self.decompositions = decompositions
    self.compositions = compositions
    self.combiningClasses = classes
    self.unstable = unstable
  }

  /// Every scalar that NFC may change or join with what stands before it.
  var unstableScalars: Set<UInt32> {
    unstable.union(Hangul.vowels).union(Hangul.trailingConsonants)
  }

  private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 {
    UInt64(first) << 32 | UInt64(second)
  }
}

extension CanonicalNormalizer {
  /// The canonical decomposition of scalars, marks in canonical order (NFD).
  func decomposed(_ scalars: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(scalars.count * 2)
    for scalar in scalars { appendDecomposition(of: scalar, to: &result) }
    reorderMarks(&result)
    return result
  }

  /// The canonical composition of scalars (NFC).
  func composed(_ scalars: [UInt32]) -> [UInt32] {
    let source = decomposed(scalars)
    var result: [UInt32] = []
    result.reserveCapacity(source.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for scalar in source {
      let combiningClass = combiningClasses[scalar] ?? 0
      if let starter {
        // A mark is blocked from its starter by one of the same or a higher class in between.
        let adjacent = result.count == starter + 1
        if adjacent || (lastClass != 0 && lastClass < combiningClass),
          let composite = composite(result[starter], scalar)
        {
          result[starter] = composite
          continue
        }
      }
      if combiningClass == 0 { starter = result.count }
      lastClass = combiningClass
      result.append(scalar)
    }
    return result
  }

  private func appendDecomposition(of scalar: UInt32, to result: inout [UInt32]) {
    if let syllable = Hangul.decomposition(of: scalar) {
      result.append(contentsOf: syllable)
    } else if let parts = decompositions[scalar] {
      for part in parts { appendDecomposition(of: part, to: &result) }
    } else {
      result.append(scalar)
    }
  }

  private func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    Hangul.composite(first, second) ?? compositions[Self.key(first, second)]
  }

  /// Sorts every run of marks by combining class, keeping the order within a class.
  private func reorderMarks(_ scalars: inout [UInt32]) {
    var position = 0
    while position < scalars.count {
      guard combiningClasses[scalars[position]] != nil else {
        position += 1
        continue
      }
      let start = position
      while position < scalars.count, combiningClasses[scalars[position]] != nil { position += 1 }
      guard position - start > 1 else { continue }
      let run = scalars[start..<position].enumerated().map { offset, scalar in
        (combiningClass: combiningClasses[scalar] ?? 0, offset: offset, scalar: scalar)
      }
      let sorted = run.sorted { ($0.combiningClass, $0.offset) < ($1.combiningClass, $1.offset) }
      scalars.replaceSubrange(start..<position, with: sorted.map(\.scalar))
    }
  }
}

/// The arithmetic of Korean syllables (The Unicode Standard, section 3.12).
enum Hangul {
  static let vowels: ClosedRange<UInt32> = 0x1161...0x1175
  static let trailingConsonants: ClosedRange<UInt32> = 0x11A8...0x11C2
  private static let leadingConsonants: ClosedRange<UInt32> = 0x1100...0x1112
  private static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3
  private static let trailingCount: UInt32 = 28
  private static let vowelCount: UInt32 = 21

  static func decomposition(of scalar: UInt32) -> [UInt32]? {
    guard syllables.contains(scalar) else { return nil }
    let index = scalar - syllables.lowerBound
    let pair = [
      leadingConsonants.lowerBound + index / (vowelCount * trailingCount),
      vowels.lowerBound + index / trailingCount % vowelCount,
    ]
    let trailing = index % trailingCount
    return trailing == 0 ? pair : pair + [trailingConsonants.lowerBound + trailing - 1]
  }

  static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leadingConsonants.contains(first), vowels.contains(second) {
      let leading = first - leadingConsonants.lowerBound
      let vowel = second - vowels.lowerBound
      return syllables.lowerBound + (leading * vowelCount + vowel) * trailingCount
    }
    if syllables.contains(first), trailingConsonants.contains(second),
      (first - syllables.lowerBound) % trailingCount == 0
    {
      return first + (second - trailingConsonants.lowerBound) + 1
    }
    return nil
  }
}
