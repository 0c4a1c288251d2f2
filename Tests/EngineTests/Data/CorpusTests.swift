import Files
import Testing
import Tokenizers

@testable import Engine

@Suite struct CorpusTests {
  private let byteTokenizer = ByteTokenizer()
  private let endingTokenizer = ByteTokenizer(endOfText: .present)

  private func text(_ tokens: TokenSequence) -> String {
    tokens.tokens(in: 0..<tokens.count).map { id in
      id == 256 ? "|" : String(decoding: [UInt8(id)], as: UTF8.self)
    }.joined()
  }

  @Test func textFileIsOneDocument() throws {
    let folder = try DataFolder()
    let corpus = try Corpus(path: folder.write("one\n\ntwo\n", "a.TXT"))
    #expect(corpus.isText && corpus.documentCount == 1 && corpus.characterCount == 9)
    #expect(try text(corpus.tokenized(with: byteTokenizer)) == "one\n\ntwo\n")
    #expect(try text(corpus.tokenized(with: endingTokenizer, endOfText: true)) == "one\n\ntwo\n|")
  }

  @Test func separatorsDivideDocumentsAndStayInTheStream() throws {
    let folder = try DataFolder()
    let path = try folder.write("##a##b####c##", "a.txt")
    let corpus = try Corpus(path: path, separator: "##")
    #expect(corpus.documentCount == 3)
    #expect(try text(corpus.tokenized(with: byteTokenizer)) == "##a##b####c##")
    let ended = try corpus.tokenized(with: endingTokenizer, endOfText: true)
    #expect(text(ended) == "a|b|c|")
    #expect(ended.endOfText == 256)
    #expect(try corpus.tokenized(with: endingTokenizer).endOfText == nil)
  }

  @Test func jsonLinesAreDecodedAndBlankLinesSkipped() throws {
    let folder = try DataFolder()
    let lines =
      "{\"text\": \"a\\n\"}\r\n\n  \n{\"id\": 1, \"text\": \"\\u00e9\"}\n{\"text\": \"\"}\n{\"text\":\"z\"}"
    let corpus = try Corpus(path: folder.write(lines, "a.jsonl"))
    #expect(corpus.documentCount == 3 && corpus.characterCount == 4)
    let joined = try corpus.tokenized(with: byteTokenizer)
    #expect(joined.tokens(in: 0..<joined.count) == "a\n\u{E9}\nz".utf8.map(Int32.init))
    let ended = try corpus.tokenized(with: endingTokenizer, endOfText: true)
    #expect(ended.tokens(in: 0..<ended.count) == [97, 10, 256, 0xC3, 0xA9, 256, 122, 256])
  }

  @Test func folderIsReadInTheOrderOfNames() throws {
    let folder = try DataFolder()
    _ = try folder.write("second", "b.txt")
    _ = try folder.write("{\"text\": \"third\"}\n", "c.jsonl")
    _ = try folder.write("first\n", "a.txt")
    _ = try folder.write("no data", "README.md")
    _ = try folder.write("no data", ".hidden.txt")
    let corpus = try Corpus(path: folder.path)
    #expect(corpus.skippedFiles == ["README.md"])
    #expect(try text(corpus.tokenized(with: byteTokenizer)) == "first\nsecond\nthird")
    #expect(try text(corpus.tokenized(with: endingTokenizer, endOfText: true)) == "first\n|second|third|")
  }

  @Test func byteOrderMarkIsNoText() throws {
    let folder = try DataFolder()
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let plain = try Corpus(path: folder.write(mark + Array("hi".utf8), "a.txt"))
    #expect(try text(plain.tokenized(with: byteTokenizer)) == "hi")
    let lines = try Corpus(path: folder.write(mark + Array("{\"text\": \"hi\"}".utf8), "a.jsonl"))
    #expect(try text(lines.tokenized(with: byteTokenizer)) == "hi")
  }

  @Test func bytesThatAreNoTextAreTakenAsTheyAre() throws {
    let folder = try DataFolder()
    let corpus = try Corpus(path: folder.write([0x61, 0xFF, 0x80, 0x62], "a.txt"))
    let tokens = try corpus.tokenized(with: byteTokenizer)
    #expect(tokens.tokens(in: 0..<4) == [0x61, 0xFF, 0x80, 0x62])
  }

  @Test(.enabled(if: SharedData.exists("data/gpt2"), "the shared files are not beside the package"))
  func bytesThatAreNoTextAreReplacedByOthers() throws {
    let folder = try DataFolder()
    let tokenizer = try TokenizerFile.load(SharedData.path("data/gpt2"))
    let corpus = try Corpus(path: folder.write([0x61, 0xFF, 0x62], "a.txt"))
    let tokens = try corpus.tokenized(with: tokenizer)
    #expect(tokenizer.decode(tokens.tokens(in: 0..<tokens.count)) == "a\u{FFFD}b")
  }

  @Test(arguments: [
    ("{\"text\": 1}", "'text' is an integer"), ("[1]", "an array, not an object"),
    ("{\"body\": \"x\"}", "has no key 'text' (it has 'body')"), ("{}", "has no key 'text'"),
    ("{\"text\": \"x\"", "column 13: expected"), ("{\"text\": \"\\ud800\"}", "surrogate"),
    ("{\"text\": \"x\", \"text\": \"y\"}", "stands twice"), ("text", "it is not JSON"),
  ])
  func badLineIsNamed(line: String, problem: String) throws {
    let folder = try DataFolder()
    let path = try folder.write("{\"text\": \"fine\"}\n\n\(line)\n", "a.jsonl")
    expectDataError(dataError { _ = try Corpus(path: path) }, mentions: "line 3 of '\(path)'", problem)
  }

  @Test func badUTF8InALineIsNamed() throws {
    let folder = try DataFolder()
    let path = try folder.write(Array("{\"text\": \"".utf8) + [0xFF] + Array("\"}".utf8), "a.jsonl")
    expectDataError(dataError { _ = try Corpus(path: path) }, mentions: "line 1", "not UTF-8")
  }

  @Test(arguments: [("a.json", ".jsonl"), ("a.txt.gz", "unpack"), ("a.parquet", "convert"), ("a", ".txt")])
  func unknownFormatHasAHint(name: String, hint: String) throws {
    let folder = try DataFolder()
    let path = try folder.write("x", name)
    expectDataError(dataError { _ = try Corpus(path: path) }, mentions: path, hint)
  }

  @Test func missingFileTellsWhatIsThere() throws {
    let folder = try DataFolder()
    _ = try folder.write("x", "there.txt")
    expectDataError(dataError { _ = try Corpus(path: folder.path + "/not.txt") }, mentions: "there.txt")
    expectDataError(dataError { _ = try Corpus(path: folder.path + "/not") }, mentions: "there.txt")
  }

  @Test func emptyDataIsRefused() throws {
    let folder = try DataFolder()
    for (text, name) in [("", "a.txt"), ("\n \n", "a.jsonl"), ("{\"text\": \"\"}", "b.jsonl"), ("", "a.bin")]
    {
      let path = try folder.write(text, name)
      expectDataError(dataError { _ = try Corpus(path: path) }, mentions: path, "nothing")
    }
    let only = try folder.write("##", "b.txt")
    expectDataError(dataError { _ = try Corpus(path: only, separator: "##") }, mentions: only)
    let empty = try DataFolder()
    expectDataError(dataError { _ = try Corpus(path: empty.path) }, mentions: empty.path)
    _ = try empty.write("x", "notes.md")
    expectDataError(dataError { _ = try Corpus(path: empty.path) }, mentions: "notes.md")
  }

  @Test func mixedFolderIsRefused() throws {
    let folder = try DataFolder()
    _ = try folder.write("text", "a.txt")
    _ = try folder.write(littleEndian([1, 2] as [UInt16]), "b.bin")
    expectDataError(dataError { _ = try Corpus(path: folder.path) }, mentions: "a.txt", "b.bin")
  }

  @Test func missingEndOfTextTokenIsRefused() throws {
    let corpus = try Corpus(text: "abc", name: "memory")
    expectDataError(
      dataError { _ = try corpus.tokenized(with: byteTokenizer, endOfText: true) }, mentions: "end-of-text")
  }

  @Test func contentHashIsThatOfTheFile() throws {
    let folder = try DataFolder()
    let path = try folder.write("abc", "a.txt")
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    let corpus = try Corpus(path: path)
    #expect(corpus.contentHash() == digest)
    #expect(try corpus.split(validationFraction: 0.5).training.contentHash() == digest)
    _ = try folder.write("abd", "b.txt")
    let second = SHA256.hexadecimal(of: "abd")
    #expect(
      try Corpus(path: folder.path).contentHash()
        == SHA256.hexadecimal(of: "\(digest)  a.txt\n\(second)  b.txt\n"))
  }

  @Test func progressGrowsToTheTotalAndCanStop() throws {
    struct Stopped: Error {}
    let text = String(repeating: "some words in a row ", count: 180_000)
    let corpus = try Corpus(text: text, name: "memory")
    var seen: [TokenizationProgress] = []
    let tokens = try corpus.tokenized(with: byteTokenizer) { seen.append($0) }
    #expect(tokens.count == text.utf8.count)
    #expect(seen.count >= 4)
    #expect(seen.map(\.bytesDone) == seen.map(\.bytesDone).sorted())
    #expect(seen.last == TokenizationProgress(bytesDone: text.utf8.count, bytesTotal: text.utf8.count))
    #expect(throws: Stopped.self) { try corpus.tokenized(with: byteTokenizer) { _ in throw Stopped() } }
  }

  @Test func textComesBackForTokenizerTraining() throws {
    let text = String(repeating: "gr\u{FC}n und blau\n", count: 100_000)
    var back = ""
    try Corpus(text: text, name: "memory").forEachText { back += $0 }
    #expect(back == text)
    let folder = try DataFolder()
    let tokens = try Corpus(path: folder.write(littleEndian([1, 2] as [UInt16]), "b.bin"))
    expectDataError(dataError { try tokens.forEachText { _ in } }, mentions: "ready tokens")
  }
}
