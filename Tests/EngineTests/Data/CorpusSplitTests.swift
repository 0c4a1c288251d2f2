import Testing
import Tokenizers

@testable import Engine

@Suite struct CorpusSplitTests {
  private func text(_ corpus: Corpus?) throws -> String {
    var result = ""
    try corpus?.forEachText { result += $0 }
    return result
  }

  @Test func cutsATextByCharacters() throws {
    let text = "\u{E4}\u{F6}\u{FC}\u{1F600}abcdef\u{20AC}"
    for fraction in [0.1, 0.25, 0.5, 0.75, 0.9] {
      let (training, validation) = try Corpus(text: text, name: "t").split(validationFraction: fraction)
      let count = Int(11 * (1 - fraction))
      #expect(training.characterCount == count)
      #expect(try self.text(training) == String(text.unicodeScalars.prefix(count)))
      #expect(try self.text(validation) == String(text.unicodeScalars.dropFirst(count)))
    }
  }

  @Test func noCutEndsADocument() throws {
    let tokenizer = ByteTokenizer(endOfText: .present)
    let (training, validation) = try Corpus(text: "abcdefghij", name: "t").split(validationFraction: 0.2)
    let first = try training.tokenized(with: tokenizer, endOfText: true)
    let last = try #require(try validation?.tokenized(with: tokenizer, endOfText: true))
    #expect(first.tokens(in: 0..<first.count) == (97..<105).map { $0 })
    #expect(last.tokens(in: 0..<last.count) == [105, 106, 256])
  }

  @Test func wholeDocumentsStayWhole() throws {
    let separated = try Corpus(text: "aaaa#bbbb#cccc#dddd", name: "t", separator: "#")
    for (fraction, expected) in [
      (0.1, "aaaabbbbcccc"), (0.3, "aaaabbbbcccc"), (0.45, "aaaabbbb"), (0.99, "aaaa"),
    ] {
      let (training, validation) = try separated.split(validationFraction: fraction)
      #expect(try text(training) == expected)
      #expect(try text(training) + text(validation) == "aaaabbbbccccdddd")
    }
    let folder = try DataFolder()
    let lines = (0..<10).map { "{\"text\": \"line \($0)\"}" }.joined(separator: "\n")
    let (training, validation) = try Corpus(path: folder.write(lines, "a.jsonl")).split(
      validationFraction: 0.1)
    #expect(training.documentCount == 9 && validation?.documentCount == 1)
    #expect(try text(validation) == "line 9")
  }

  @Test func filesOfAFolderMayBeCut() throws {
    let folder = try DataFolder()
    _ = try folder.write("aaaaa", "a.txt")
    _ = try folder.write("bbbbb", "b.txt")
    let (training, validation) = try Corpus(path: folder.path).split(validationFraction: 0.2)
    #expect(try text(training) == "aaaaabbb" && text(validation) == "bb")
    let (half, rest) = try Corpus(path: folder.path).split(validationFraction: 0.5)
    #expect(try text(half) == "aaaaa" && text(rest) == "bbbbb")
  }

  @Test func fractionOfZeroKeepsEverything() throws {
    let (training, validation) = try Corpus(text: "abc", name: "t").split(validationFraction: 0)
    #expect(try text(training) == "abc" && validation == nil)
  }

  @Test(arguments: [-0.1, 1, 2, Double.nan, Double.infinity])
  func senselessFractionIsRefused(fraction: Double) throws {
    let corpus = try Corpus(text: "abc", name: "t")
    expectDataError(dataError { _ = try corpus.split(validationFraction: fraction) }, mentions: "below 1")
  }

  @Test func partsAreNeverEmpty() throws {
    let one = try Corpus(text: "abcdef#", name: "t", separator: "#")
    expectDataError(dataError { _ = try one.split(validationFraction: 0.5) }, mentions: "one document")
    let letter = try Corpus(text: "a", name: "t")
    expectDataError(dataError { _ = try letter.split(validationFraction: 0.5) }, mentions: "t")
    let folder = try DataFolder()
    let token = try Corpus(path: folder.write(littleEndian([7] as [UInt16]), "a.bin"))
    expectDataError(dataError { _ = try token.split(validationFraction: 0.1) }, mentions: "1 tokens")
  }

  @Test func tokensAreDividedByCountAcrossFiles() throws {
    let folder = try DataFolder()
    _ = try folder.write(littleEndian([0, 1, 2, 3, 4, 5] as [UInt16]), "a.bin")
    _ = try folder.write(
      tokenFileHeader(magic: 20_240_801, version: 7, count: 4) + littleEndian([6, 7, 8, 9] as [UInt32]),
      "b.bin")
    let (training, validation) = try Corpus(path: folder.path).split(validationFraction: 0.3)
    let first = try training.tokenized(with: ByteTokenizer())
    let last = try #require(try validation?.tokenized(with: ByteTokenizer()))
    #expect(first.tokens(in: 0..<first.count) == [0, 1, 2, 3, 4, 5, 6])
    #expect(last.tokens(in: 0..<last.count) == [7, 8, 9])
  }

  @Test(
    .enabled(if: SharedData.exists("data/tinyshakespeare.txt"), "the shared files are not beside the package")
  )
  func shakespeareIsSplitAsUsual() throws {
    let corpus = try Corpus(path: SharedData.path("data/tinyshakespeare.txt"))
    let (training, validation) = try corpus.split(validationFraction: 0.1)
    let first = try training.tokenized(with: ByteTokenizer())
    let last = try #require(try validation?.tokenized(with: ByteTokenizer()))
    #expect(first.count == 1_003_854 && last.count == 111_540)
  }

  /// The counts that the preparation script of nanoGPT reports for this text.
  @Test(
    .enabled(
      if: SharedData.exists("data/tinyshakespeare.txt") && SharedData.exists("data/gpt2"),
      "the shared files are not beside the package"))
  func shakespeareHasTheKnownTokenCounts() throws {
    let tokenizer = try TokenizerFile.load(SharedData.path("data/gpt2"))
    let corpus = try Corpus(path: SharedData.path("data/tinyshakespeare.txt"))
    let (training, validation) = try corpus.split(validationFraction: 0.1)
    #expect(try training.tokenized(with: tokenizer).count == 301_966)
    #expect(try validation?.tokenized(with: tokenizer).count == 36_059)
  }
}
