import Testing
import Tokenizers

@testable import Engine

@Suite struct TokenFileTests {
  private let tokenizer = ByteTokenizer(endOfText: .present)

  private func tokens(_ content: [UInt8]) throws -> TokenSequence {
    let folder = try DataFolder()
    return try Corpus(path: folder.write(content, "a.bin")).tokenized(with: tokenizer)
  }

  @Test func readsAllThreeLayouts() throws {
    let expected: [Int32] = [5, 256, 0, 255, 7]
    let narrow = littleEndian(expected.map { UInt16($0) })
    let wide = littleEndian(expected.map { UInt32($0) })
    for content in [
      narrow, tokenFileHeader(magic: 20_240_520, version: 1, count: 5) + narrow,
      tokenFileHeader(magic: 20_240_801, version: 7, count: 5) + wide,
    ] {
      let sequence = try tokens(content)
      #expect(sequence.tokens(in: 0..<sequence.count) == expected)
      #expect(sequence[1] == 256 && sequence.endOfText == 256 && sequence.vocabularySize == 257)
    }
  }

  @Test func oddSizeIsRefused() {
    expectDataError(dataError { _ = try tokens([1, 0, 2]) }, mentions: "3 bytes", "odd")
  }

  @Test func truncatedHeaderIsRefused() {
    let content = Array(tokenFileHeader(magic: 20_240_520, version: 1, count: 0).prefix(700))
    expectDataError(dataError { _ = try tokens(content) }, mentions: "1024", "700")
  }

  @Test func unknownVersionIsRefused() {
    for (magic, version) in [(20_240_520, 7), (20_240_801, 1), (20_240_520, 0)] as [(UInt32, UInt32)] {
      let content = tokenFileHeader(magic: magic, version: version, count: 0)
      expectDataError(dataError { _ = try tokens(content) }, mentions: "\(magic)", "says \(version)")
    }
  }

  @Test(arguments: [0, 2, 4, UInt32.max, UInt32(Int32.max)])
  func countThatDisagreesWithTheSizeIsRefused(count: UInt32) {
    let payload = littleEndian([1, 2, 3] as [UInt16])
    let content = tokenFileHeader(magic: 20_240_520, version: 1, count: count) + payload
    expectDataError(dataError { _ = try tokens(content) }, mentions: "declares", "6 bytes")
  }

  @Test func tokenCutOffAtTheEndIsRefused() {
    let content =
      tokenFileHeader(magic: 20_240_801, version: 7, count: 2) + littleEndian([1, 2] as [UInt32]).dropLast()
    expectDataError(dataError { _ = try tokens(Array(content)) }, mentions: "declares 2", "7 bytes")
  }

  @Test func tokenOutsideTheVocabularyIsNamed() {
    expectDataError(
      dataError { _ = try tokens(littleEndian([1, 2, 257] as [UInt16])) }, mentions: "token 2 of", "257",
      "0 to 256")
    let wide =
      tokenFileHeader(magic: 20_240_801, version: 7, count: 2) + littleEndian([1, UInt32.max] as [UInt32])
    expectDataError(dataError { _ = try tokens(wide) }, mentions: "token 1 of", "4294967295")
  }

  @Test(arguments: [300, 65_536, 65_537, 1_000_000])
  func sequenceChecksAndKeepsTokens(vocabularySize: Int) throws {
    let values = [0, 1, vocabularySize / 2, vocabularySize - 1].map { Int32($0) }
    let sequence = try TokenSequence(values, vocabularySize: vocabularySize)
    #expect(sequence.tokens(in: 0..<4) == values)
    #expect(sequence.slice(1..<3).tokens(in: 0..<2) == Array(values[1..<3]))
    for bad in [-1, Int32(vocabularySize)] {
      let error = dataError { _ = try TokenSequence([1, 2, bad], vocabularySize: vocabularySize) }
      expectDataError(error, mentions: "token 2 of", "is \(bad)")
    }
  }

  @Test func slicesOfFilesJoinAgain() throws {
    let folder = try DataFolder()
    for (index, count) in [3, 1, 7, 2].enumerated() {
      _ = try folder.write(littleEndian((0..<count).map { UInt16(10 * index + $0) }), "\(index).bin")
    }
    let all = try Corpus(path: folder.path).tokenized(with: tokenizer)
    let expected: [Int32] = [0, 1, 2, 10, 20, 21, 22, 23, 24, 25, 26, 30, 31]
    #expect(all.tokens(in: 0..<all.count) == expected)
    for lower in 0...expected.count {
      for upper in lower...expected.count {
        #expect(all.tokens(in: lower..<upper) == Array(expected[lower..<upper]))
        let slice = all.slice(lower..<upper)
        #expect(slice.count == upper - lower)
        #expect(slice.tokens(in: 0..<slice.count) == Array(expected[lower..<upper]))
      }
    }
  }
}
