import Testing
import Tokenizers

@testable import Engine

@Suite struct TextPiecesTests {
  @Test(
    .enabled(
      if: SharedData.exists("data/wikitext2-test.txt") && SharedData.exists("data/gpt2"),
      "the shared files are not beside the package"))
  func cutsDoNotChangeTokens() throws {
    let path = SharedData.path("data/wikitext2-test.txt")
    let tokenizer = try TokenizerFile.load(SharedData.path("data/gpt2"))
    let corpus = try Corpus(path: path)
    var pieces = 0
    var text = ""
    try corpus.forEachText {
      pieces += 1
      text += $0
    }
    #expect(pieces == 2)
    let tokens = try corpus.tokenized(with: tokenizer)
    #expect(tokens.tokens(in: 0..<tokens.count) == tokenizer.encode(text))
  }

  @Test func cutsOnlyWhereItIsSafe() {
    let text = Array(String(repeating: "ab cd\nef\n\n", count: 150_000).utf8)
    let span = text.span
    let free = TextPieces.end(span, from: 0, limit: text.count) { _, _ in true }
    #expect(free >= TextPieces.target && free < TextPieces.target + 10)
    #expect(text[free] == UInt8(ascii: " ") || text[free - 1] == UInt8(ascii: "\n"))
    var tries = 0
    let never = TextPieces.end(span, from: 0, limit: text.count) { _, _ in
      tries += 1
      return false
    }
    #expect(never == text.count && tries > 1)
    let solid = [UInt8](repeating: 0x61, count: 3 << 20)
    #expect(TextPieces.end(solid.span, from: 0, limit: solid.count) { _, _ in true } == solid.count)
  }
}
