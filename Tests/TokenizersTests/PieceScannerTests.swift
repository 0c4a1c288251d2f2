import Testing

@testable import Tokenizers

@Suite struct PieceScannerTests {
  static let patterns = [PieceScanner.gpt2Pattern, PieceScanner.llama3Pattern, PieceScanner.qwen2Pattern]

  @Test(arguments: patterns, [UInt64(1), 2, 3])
  func agreesWithTheExpressionEngine(pattern: String, seed: UInt64) throws {
    let scanner = try #require(PieceScanner(pattern: pattern))
    let matcher = try ExpressionMatcher(pattern: pattern)
    var generator = SeededGenerator(seed)
    for _ in 0..<400 {
      // Swift's engine does not fold the long s, that of the reference library does.
      let text = String(SampleText.random(&generator).unicodeScalars.filter { $0 != "ſ" })
      let span = text.utf8Span.span
      var pieces: [Range<Int>] = []
      var start = 0
      while start < span.count {
        let end = scanner.endOfPiece(span, from: start, limit: span.count)
        pieces.append(start..<end)
        start = end
      }
      #expect(pieces == matcher.matches(span, 0..<span.count), "\(text.debugDescription)")
    }
  }

  @Test func splitsLikeTheModelFamilies() {
    func pieces(_ rules: PieceScanner.Rules, _ text: String) -> [String] {
      let scanner = PieceScanner(rules)
      let bytes = Array(text.utf8)
      var result: [String] = []
      var start = 0
      while start < bytes.count {
        let end = scanner.endOfPiece(bytes.span, from: start, limit: bytes.count)
        result.append(String(decoding: bytes[start..<end], as: UTF8.self))
        start = end
      }
      return result
    }
    #expect(pieces(.gpt2, "It's  12345 !\n\n x") == ["It", "'s", " ", " 12345", " !", "\n\n", " x"])
    #expect(
      pieces(.lineAware(digits: 3), "IT'S 12345 !\n\n x(y")
        == ["IT", "'S", " ", "123", "45", " !\n\n", " x", "(y"])
    #expect(pieces(.lineAware(digits: 1), "12") == ["1", "2"])
    #expect(pieces(.lineAware(digits: 3), "a \n  b") == ["a", " \n", " ", " b"])
    #expect(pieces(.gpt2, "a \n  b") == ["a", " \n ", " b"])
  }

  @Test func contractionsOfAnyCaseFoldTheLongS() {
    let scanner = PieceScanner(.lineAware(digits: 3))
    let bytes = Array("'ſx".utf8)
    #expect(scanner.endOfPiece(bytes.span, from: 0, limit: bytes.count) == 3)
    #expect(PieceScanner(.gpt2).endOfPiece(bytes.span, from: 0, limit: bytes.count) == 1)
  }

  @Test func unknownPatternHasNoScanner() {
    #expect(PieceScanner(pattern: #"\s+"#) == nil)
    #expect(PieceScanner(pattern: PieceScanner.gpt2Pattern + " ") == nil)
  }
}
