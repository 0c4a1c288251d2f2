import Files
import Testing

@testable import Tokenizers

@Suite(.enabled(if: Fixtures.areThere, "the folder ../shared/fixtures/tokenizers is missing"))
struct FixtureTests {
  struct Case {
    let text: String
    let ids: [Int32]
    let decoded: String
  }

  static func cases(_ kind: String) throws -> [Case] {
    let file = try MappedFile(path: "\(Fixtures.tokenizers)/\(kind)/cases.jsonl")
    let lines = try file.bytes(in: 0..<file.count).split(separator: UInt8(ascii: "\n"))
    return try lines.map { line in
      let value = try JSON.parse(Array(line))
      let ids = try #require(value["ids"]?.arrayValue).map { Int32(try #require($0.integerValue)) }
      return Case(
        text: try #require(value["text"]?.stringValue), ids: ids,
        decoded: try #require(value["decoded"]?.stringValue))
    }
  }

  @Test(arguments: ["gpt2", "llama3", "qwen2"])
  func everyCaseMatchesReference(kind: String) throws {
    let tokenizer = try TokenizerFile.load("\(Fixtures.tokenizers)/\(kind)")
    let cases = try Self.cases(kind)
    #expect(cases.count == 192)
    #expect(tokenizer.notices.isEmpty)
    for item in cases {
      #expect(tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
      #expect(tokenizer.encode(bytes: Array(item.text.utf8)) == item.ids)
      let decoded = tokenizer.decode(item.ids)
      #expect(decoded.utf8.elementsEqual(item.decoded.utf8), "\(item.text.debugDescription)")
      var decoder = TokenDecoder(tokenizer)
      var streamed = item.ids.map { decoder.append($0) }.joined()
      streamed += decoder.finish()
      #expect(streamed.utf8.elementsEqual(item.decoded.utf8), "\(item.text.debugDescription)")
    }
  }

  @Test func gpt2EndOfTextIsFoundByItsName() throws {
    let tokenizer = try TokenizerFile.load("\(Fixtures.tokenizers)/gpt2/tokenizer.json")
    #expect(tokenizer.endOfText == 50256)
    #expect(tokenizer.vocabularySize == 50257)
    #expect(tokenizer.id(of: "\u{120}the") == 262)
    #expect(tokenizer.encode("a<|endoftext|>b", special: .ignored).contains(50256) == false)
  }
}
