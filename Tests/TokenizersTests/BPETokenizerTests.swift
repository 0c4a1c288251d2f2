import Files
import Testing

@testable import Tokenizers

@Suite struct BPETokenizerTests {
  @Test func mergesInRankOrder() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    #expect(tokenizer.pieces("hello world") == ["hello", " w", "or", "l", "d"])
    #expect(tokenizer.pieces("hell") == ["he", "ll"])
    #expect(tokenizer.pieces("llll") == ["ll", "ll"])
    #expect(tokenizer.encode("").isEmpty)
    #expect(tokenizer.vocabularySize == 301)
  }

  @Test func bothSpellingsOfMergesAreRead() throws {
    let strings = SmallModel.merges.map { JSON.string("\($0.0) \($0.1)") }
    let tokenizer = try TokenizerFile.load(
      SmallModel.file(model: [("merges", .array(["#version: 0.2"] + strings))]))
    let other = try TokenizerFile.load(SmallModel.file())
    #expect(tokenizer.encode("hello world") == other.encode("hello world"))
  }

  /// Applies the lowest-ranked merge anywhere until there is none.
  private func naive(_ piece: [String]) -> [String] {
    var symbols = piece
    while true {
      var best: (rank: Int, position: Int)?
      for position in symbols.indices.dropLast() {
        let pair = (symbols[position], symbols[position + 1])
        guard let rank = SmallModel.merges.firstIndex(where: { $0 == pair }) else { continue }
        if best.map({ rank < $0.rank }) ?? true { best = (rank, position) }
      }
      guard let best else { return symbols }
      symbols.replaceSubrange(
        best.position...best.position + 1, with: [symbols[best.position] + symbols[best.position + 1]])
    }
  }

  @Test(arguments: [UInt64(1), 2])
  func queueGivesWhatTheDefinitionSays(seed: UInt64) throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    var generator = SeededGenerator(seed)
    for _ in 0..<300 {
      let letters = (0..<Int.random(in: 1...90, using: &generator)).map { _ in
        ["h", "e", "l", "o", "r"][Int.random(in: 0..<5, using: &generator)]
      }
      #expect(tokenizer.pieces(letters.joined()) == naive(letters))
    }
  }

  @Test func ignoringMergesTakesWholePieces() throws {
    // A token no merge leads to.
    var vocabulary = SmallModel.vocabulary
    vocabulary["orel"] = 262
    let plain = try TokenizerFile.load(SmallModel.file(model: [("vocab", .object(vocabulary))]))
    let whole = try TokenizerFile.load(
      SmallModel.file(model: [("vocab", .object(vocabulary)), ("ignore_merges", true)]))
    #expect(plain.pieces("orel") == ["or", "e", "l"])
    #expect(whole.encode("orel") == [262])
    #expect(whole.pieces("orelo") == ["or", "e", "l", "o"])
  }

  @Test func bytesWithoutTokenAreUnknownOrLeftOut() throws {
    var vocabulary = SmallModel.vocabulary
    vocabulary["x"] = nil
    vocabulary["<unk>"] = 270
    let changes: [(String, JSON)] = [("vocab", .object(vocabulary))]
    let silent = try TokenizerFile.load(SmallModel.file(model: changes))
    #expect(silent.pieces("axxb") == ["a", "b"])
    #expect(silent.notices.count == 1)
    let single = try TokenizerFile.load(SmallModel.file(model: changes + [("unk_token", "<unk>")]))
    #expect(single.pieces("axxb") == ["a", "<unk>", "<unk>", "b"])
    let fused = try TokenizerFile.load(
      SmallModel.file(model: changes + [("unk_token", "<unk>"), ("fuse_unk", true)]))
    #expect(fused.pieces("axxbx") == ["a", "<unk>", "b", "<unk>"])
  }

  @Test func canonicallyEqualTokensStayApart() throws {
    let tokens: JSON = [SmallModel.added("é!", 301), SmallModel.added("e\u{301}!", 302)]
    let tokenizer = try TokenizerFile.load(SmallModel.file([("added_tokens", tokens)]))
    #expect(tokenizer.encode("é!e\u{301}!") == [301, 302])
    #expect(tokenizer.id(of: "e\u{301}!") == 302)
  }

  @Test func foreignIDsDecodeToReplacements() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    for id in [Int32.min, -1, 299, 301, Int32.max] {
      #expect(tokenizer.decode([id]) == "\u{FFFD}")
      #expect(tokenizer.bytes(of: id) == nil)
    }
  }

  @Test func invalidBytesCountAsReplacementCharacters() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    #expect(tokenizer.encode(bytes: [0x61, 0xFF, 0xE2, 0x82]) == tokenizer.encode("a\u{FFFD}\u{FFFD}"))
  }

  @Test func longPieceIsEncodedQuickly() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    let text = String(repeating: "l", count: 200_000)
    #expect(tokenizer.encode(text).count == 100_000)
  }

  @Test func fullCacheChangesNothing() throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    let words = (0..<70_000).map { " \($0)hello" }
    let ids = tokenizer.encode(words.joined())
    #expect(tokenizer.decode(ids) == words.joined())
    #expect(tokenizer.encode(words.joined()) == ids)
    // Each word alone, by a tokenizer whose cache has not turned over.
    let fresh = try TokenizerFile.load(SmallModel.file())
    for part in [0, 30_000, 66_000] {
      let sample = words[part..<part + 100]
      let skipped = tokenizer.encode(words[..<part].joined()).count
      let expected = sample.flatMap { fresh.encode($0) }
      #expect(Array(ids[skipped..<skipped + expected.count]) == expected)
    }
  }

  @Test func severalTasksEncodeAtOnce() async throws {
    let tokenizer = try TokenizerFile.load(SmallModel.file())
    let texts = (0..<64).map { "hello world number \($0), hello" }
    let expected = texts.map { tokenizer.encode($0) }
    let results = await withTaskGroup(of: (Int, [Int32]).self) { group in
      for (index, text) in texts.enumerated() { group.addTask { (index, tokenizer.encode(text)) } }
      return await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
    }
    for (index, ids) in expected.enumerated() { #expect(results[index] == ids) }
  }
}
