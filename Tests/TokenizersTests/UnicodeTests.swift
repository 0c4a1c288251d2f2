import Testing

@testable import Tokenizers

@Suite struct UnicodeTests {
  /// Counts of Unicode 16.0, as the reference library's expression engine counts them.
  @Test func tablesHaveTheirKnownSizes() {
    func count(_ table: StaticString) -> Int {
      UnicodeRangeReader.ranges(table).reduce(0) { $0 + $1.count }
    }
    #expect(count(UnicodeTables.letters) == 141_028)
    #expect(count(UnicodeTables.numbers) == 1911)
    #expect(count(UnicodeTables.spaces) == 25)
  }

  @Test func classesMatchTheRuntimeUpToTheirVersion() {
    let classes = UnicodeClasses.shared
    var wrong: [UInt32] = []
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let properties = scalar.properties
      guard let age = properties.age, (age.major, age.minor) <= (16, 0) else { continue }
      let isLetter: Bool
      let isNumber: Bool
      switch properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        (isLetter, isNumber) = (true, false)
      case .decimalNumber, .letterNumber, .otherNumber: (isLetter, isNumber) = (false, true)
      default: (isLetter, isNumber) = (false, false)
      }
      let bits = classes(value)
      if (bits & UnicodeClasses.letter != 0) != isLetter || (bits & UnicodeClasses.number != 0) != isNumber
        || (bits & UnicodeClasses.space != 0) != properties.isWhitespace
      {
        wrong.append(value)
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test func wordsIncludeMarksAndConnectors() {
    for scalar in "aé1٣_\u{301}\u{200D}漢\u{E0100}".unicodeScalars {
      #expect(UnicodeClasses.shared(scalar.value) & UnicodeClasses.word != 0, "\(scalar.value)")
    }
    for scalar in " -<.½😀\u{E01F0}".unicodeScalars {
      #expect(UnicodeClasses.shared(scalar.value) & UnicodeClasses.word == 0, "\(scalar.value)")
    }
  }

  @Test(arguments: [
    ("e\u{301}", "é"), ("\u{1100}\u{1161}\u{11A8}", "각"), ("가\u{11A8}", "각"), ("\u{212B}", "\u{C5}"),
    ("a\u{301}\u{323}", "\u{1EA1}\u{301}"), ("\u{958}", "\u{915}\u{93C}"), ("\u{344}", "\u{308}\u{301}"),
    ("\u{1E9B}\u{323}", "\u{1E9B}\u{323}"), ("\u{1D15E}", "\u{1D157}\u{1D165}"), ("plain", "plain"),
    ("\u{9C7}\u{9BE}", "\u{9CB}"), ("x\u{334}\u{301}", "x\u{334}\u{301}"),
  ])
  func composesKnownSequences(text: String, expected: String) {
    let result = normalized(text, .composed)
    #expect(
      result.unicodeScalars.elementsEqual(expected.unicodeScalars), "\(result.unicodeScalars.map(\.value))")
  }

  @Test(arguments: [UInt64(1), 2])
  func compositionIsCanonicallyEquivalentAndStable(seed: UInt64) {
    var generator = SeededGenerator(seed)
    for _ in 0..<500 {
      let text = SampleText.random(&generator)
      let composed = normalized(text, .composed)
      let decomposed = normalized(text, .decomposed)
      // String's == is canonical equivalence.
      #expect(composed == text)
      #expect(decomposed == text)
      #expect(normalized(composed, .composed).utf8.elementsEqual(composed.utf8))
      #expect(normalized(decomposed, .composed).utf8.elementsEqual(composed.utf8))
      #expect(normalized(composed, .decomposed).utf8.elementsEqual(decomposed.utf8))
    }
  }

  private func normalized(_ text: String, _ normalizer: TextNormalizer) -> String {
    let bytes = Array(text.utf8)
    return String(
      decoding: normalizer.normalized(bytes.span, bytes.indices) ?? bytes, as: UTF8.self)
  }
}
