import Files
import Testing
import Tokenizers

@testable import Engine

@Suite struct EmbeddedCorpusTests {
  private func documents(_ corpus: Corpus) throws -> [String] {
    var result: [String] = []
    try corpus.forEachText { result.append($0) }
    return result
  }

  @Test func isTheSameEverywhere() throws {
    let corpus = EmbeddedCorpus.generate()
    // Changes with every change of the grammar, and then measured results change with it.
    #expect(corpus.contentHash() == "a2bed1b7cef8858d3db929c09bca8404b4293fffa71f297116dea75abaf2a225")
    #expect(corpus.documentCount == EmbeddedCorpus.documentCount)
    let size = try #require(corpus.characterCount)
    #expect(size > 1_000_000 && size < 2_000_000)
  }

  @Test func documentsDoNotDependOnTheirNumber() throws {
    let few = try documents(EmbeddedCorpus.generate(documentCount: 20))
    let more = try documents(EmbeddedCorpus.generate(documentCount: 40))
    #expect(few == Array(more.prefix(20)))
    #expect(Set(more).count == 40)
  }

  @Test func leavesNothingUnexpanded() throws {
    for document in try documents(EmbeddedCorpus.generate()) {
      #expect(document.utf8.allSatisfy { $0 == 0x0A || (0x20...0x7E).contains($0) })
      #expect(!document.contains { "$<>@#^~|[]{}\\/".contains($0) }, "\(document)")
      #expect(!document.contains("  ") && !document.contains("\n\n\n"), "\(document)")
      #expect(document.hasSuffix("\n") && !document.hasPrefix("\n"))
    }
  }

  @Test func arithmeticIsRight() throws {
    var checked = 0
    let expression = /(\d+) ([-+*]) (\d+) = (\d+)/
    for document in try documents(EmbeddedCorpus.generate()) {
      for match in document.matches(of: expression) {
        let left = try #require(Int(match.1))
        let right = try #require(Int(match.3))
        let result = match.2 == "+" ? left + right : match.2 == "-" ? left - right : left * right
        #expect(Int(match.4) == result, "\(match.0)")
        checked += 1
      }
    }
    #expect(checked > 500)
  }

  @Test func articlesFitTheirWords() throws {
    for document in try documents(EmbeddedCorpus.generate()) {
      #expect(!document.contains(/\b[Aa] [aeiou]/) && !document.contains(/\b[Aa]n [^aeiou]/), "\(document)")
    }
  }

  @Test func pronounsFitTheHero() throws {
    let girls: Set = [
      "Anna", "Mia", "Clara", "Rosa", "Nina", "Emma", "Sofia", "Lily", "Amina", "Yuki", "Hanna", "Zoe",
    ]
    var checked = 0
    for document in try documents(EmbeddedCorpus.generate()) {
      guard let match = document.firstMatch(of: /named (\w+)\. (\w+) lived near .* with (his|her) family/)
      else {
        continue
      }
      #expect(match.2 == (girls.contains(String(match.1)) ? "She" : "He"), "\(document)")
      #expect(match.3 == (girls.contains(String(match.1)) ? "her" : "his"), "\(document)")
      checked += 1
    }
    #expect(checked > 100)
  }

  @Test func endOfTextSeparatesDocuments() throws {
    let corpus = EmbeddedCorpus.generate(documentCount: 30)
    let tokenizer = ByteTokenizer(endOfText: .present)
    let tokens = try corpus.tokenized(with: tokenizer, endOfText: true)
    let ids = tokens.tokens(in: 0..<tokens.count)
    #expect(ids.filter { $0 == 256 }.count == 30 && ids.last == 256)
    let stream = try corpus.tokenized(with: ByteTokenizer())
    let text = ByteTokenizer().decode(stream.tokens(in: 0..<stream.count))
    #expect(text == (try documents(corpus)).map { $0 + "\n" }.joined())
    let (training, validation) = try corpus.split(validationFraction: 0.1)
    #expect(training.documentCount + (validation?.documentCount ?? 0) == 30)
  }

  @Test func isFast() {
    let time = ContinuousClock().measure { _ = EmbeddedCorpus.generate() }
    #expect(time < .seconds(3))
  }
}
