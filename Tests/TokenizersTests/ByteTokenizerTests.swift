import Testing

@testable import Tokenizers

@Suite struct ByteTokenizerTests {
  @Test func everyByteIsItsOwnID() {
    let bytes = Array(UInt8.min...UInt8.max)
    let tokenizer = ByteTokenizer()
    #expect(tokenizer.encode(bytes: bytes) == (0..<256).map(Int32.init))
    #expect(tokenizer.decodeBytes(tokenizer.encode(bytes: bytes)) == bytes)
    #expect(tokenizer.decode(tokenizer.encode("naïve 😀")) == "naïve 😀")
    #expect(tokenizer.vocabularySize == 256)
    #expect(tokenizer.stopIDs.isEmpty)
  }

  @Test func endOfTextIsTheExtraID() {
    let tokenizer = ByteTokenizer(endOfText: .present)
    #expect(tokenizer.vocabularySize == 257)
    #expect(tokenizer.stopIDs == [256])
    #expect(tokenizer.id(of: "<|endoftext|>") == 256)
    #expect(tokenizer.decode([72, 256, 105]) == "Hi")
    #expect(tokenizer.id(of: "A") == 65)
    #expect(tokenizer.id(of: "é") == nil)
  }

  @Test(arguments: [Int32.min, -1, 256, 257, Int32.max])
  func foreignIDDecodesToTheReplacementCharacter(id: Int32) {
    #expect(ByteTokenizer().decode([65, id, 66]) == "A\u{FFFD}B")
    #expect(ByteTokenizer().bytes(of: id) == nil)
  }
}

@Suite struct TokenDecoderTests {
  @Test func waitsForWholeCharacters() {
    var decoder = TokenDecoder(ByteTokenizer())
    #expect("aé😀".utf8.map { decoder.append(Int32($0)) } == ["a", "", "é", "", "", "", "😀"])
    #expect(decoder.finish() == "")
  }

  @Test func unfinishedCharacterBecomesAReplacement() {
    var decoder = TokenDecoder(ByteTokenizer())
    #expect(decoder.append(0xF0) == "")
    #expect(decoder.append(0x9F) == "")
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish() == "")
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func piecesJoinToTheWholeForAnyBytes(seed: UInt64) {
    var generator = SeededGenerator(seed)
    let interesting: [UInt8] = [
      0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4,
      0xF5,
      0xFF,
    ]
    let tokenizer = ByteTokenizer()
    for _ in 0..<2000 {
      let ids = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
        Int32(interesting[Int.random(in: 0..<interesting.count, using: &generator)])
      }
      var decoder = TokenDecoder(tokenizer)
      var text = ids.map { decoder.append($0) }.joined()
      text += decoder.finish()
      #expect(text.utf8.elementsEqual(tokenizer.decode(ids).utf8), "\(ids)")
    }
  }

  @Test func hidesSpecialTokensOnRequest() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    var shown = TokenDecoder(tokenizer)
    var hidden = TokenDecoder(tokenizer, special: .hidden)
    #expect(shown.append(300) == "<|endoftext|>")
    #expect(hidden.append(300) == "")
    #expect(tokenizer.decodeSkippingSpecial(tokenizer.encode("hello<|endoftext|>")) == "hello")
  }
}
