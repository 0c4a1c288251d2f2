import Files
import Testing

@testable import Tokenizers

@Suite struct BPETrainerTests {
  private static let text = """
    the cat sat on the mat; the cats that sat there chatted. It's 1234 o'clock, isn't it?
    naïve café — “quoted” 漢字 😀😀 aaaa aaaaaaaa banana bananas
    """

  /// Counts all pairs anew before each merge.
  private func naiveMerges(_ pieces: [String: Int], _ count: Int) -> [[String]] {
    let order = ByteAlphabet.bytesInScalarOrder.map { ByteAlphabet.text(of: [$0]) }
    var rank: [String: Int] = [:]
    for (id, symbol) in order.enumerated() { rank[symbol] = id + 1 }
    var words = pieces.map { (symbols: $0.key.utf8.map { ByteAlphabet.text(of: [$0]) }, count: $0.value) }
    var merges: [[String]] = []
    while merges.count < count {
      var totals: [[String]: Int] = [:]
      for word in words {
        for index in word.symbols.indices.dropLast() {
          totals[[word.symbols[index], word.symbols[index + 1]], default: 0] += word.count
        }
      }
      let best = totals.filter { $0.value >= 2 }.min { left, right in
        if left.value != right.value { return left.value > right.value }
        let a = left.key.map { rank[$0] ?? 0 }
        let b = right.key.map { rank[$0] ?? 0 }
        return a.lexicographicallyPrecedes(b)
      }
      guard let pair = best?.key else { return merges }
      let joined = pair.joined()
      if rank[joined] == nil { rank[joined] = rank.count + 1 }
      merges.append(pair)
      for index in words.indices {
        var position = 0
        while position + 1 < words[index].symbols.count {
          if Array(words[index].symbols[position...position + 1]) == pair {
            words[index].symbols.replaceSubrange(position...position + 1, with: [joined])
          }
          position += 1
        }
      }
    }
    return merges
  }

  @Test(arguments: BPETrainer.Pattern.allCases)
  func learnsWhatTheDefinitionSays(pattern: BPETrainer.Pattern) throws {
    var trainer = try BPETrainer(vocabularySize: 340, pattern: pattern)
    trainer.add(Self.text)
    trainer.add(Self.text)
    let trained = try trainer.train()
    var pieces: [String: Int] = [:]
    let scanner = PieceScanner(pattern.rules)
    let bytes = Array(Self.text.utf8)
    var start = 0
    while start < bytes.count {
      let end = scanner.endOfPiece(bytes.span, from: start, limit: bytes.count)
      pieces[String(decoding: bytes[start..<end], as: UTF8.self), default: 0] += 2
      start = end
    }
    let merges = try #require(trained.tokenizerFile["model"]?["merges"]?.arrayValue).map {
      $0.arrayValue?.compactMap(\.stringValue)
    }
    #expect(merges.count > 40)
    #expect(merges == naiveMerges(pieces, merges.count))
  }

  @Test func sameTextGivesTheSameFile() throws {
    func file() throws -> [UInt8] {
      var trainer = try BPETrainer(vocabularySize: 300)
      trainer.add(Self.text)
      return try trainer.train().tokenizerFile.serializedBytes(.compact)
    }
    #expect(try file() == file())
  }

  @Test(arguments: BPETrainer.Pattern.allCases)
  func writtenFilesLoadAndRoundTrip(pattern: BPETrainer.Pattern) throws {
    var trainer = try BPETrainer(
      vocabularySize: 320, pattern: pattern, specialTokens: ["<|endoftext|>", "<|pad|>"])
    trainer.add(Self.text)
    trainer.add(Self.text)
    let trained = try trainer.train()
    #expect(trained.vocabularySize == 320)
    #expect(trained.mergeCount == 320 - 256 - 2)
    try withTemporaryFolder { folder in
      try trained.write(to: folder)
      let loaded = try TokenizerFile.load(folder)
      #expect(loaded.vocabularySize == 320)
      #expect(loaded.endOfText == 0)
      #expect(loaded.notices.isEmpty)
      let text = Self.text + "<|endoftext|>" + "unseen: Ωmega\u{0}\r\n" + "<|pad|>"
      let ids = loaded.encode(text)
      #expect(loaded.decode(ids) == text)
      #expect(try ids == trained.tokenizer().encode(text))
      #expect(ids.filter { $0 < 2 } == [0, 1])
      #expect(ids.count < text.utf8.count * 2 / 3)
    }
  }

  @Test func specialTokensTeachNothing() throws {
    var trainer = try BPETrainer(vocabularySize: 300)
    for _ in 0..<10 { trainer.add("<|endoftext|>xyxy<|endoftext|>") }
    let trained = try trainer.train()
    #expect(try trained.tokenizer().id(of: "end") == nil)
    // xy, xyxy: nothing more to learn.
    #expect(trained.vocabularySize == 259)
  }

  @Test func impossibleRequestsAreRefused() throws {
    #expect(throws: TokenizerError.self) { try BPETrainer(vocabularySize: 256) }
    #expect(throws: TokenizerError.self) { try BPETrainer(vocabularySize: Int.max) }
    #expect(throws: TokenizerError.self) { try BPETrainer(vocabularySize: 300, specialTokens: ["a"]) }
    #expect(throws: TokenizerError.self) {
      try BPETrainer(vocabularySize: 300, specialTokens: ["<a>", "<a>"])
    }
    #expect(throws: TokenizerError.self) { try BPETrainer(vocabularySize: 300, minimumCount: 0) }
    let empty = try BPETrainer(vocabularySize: 300)
    #expect(throws: TokenizerError.self) { try empty.train() }
  }
}
