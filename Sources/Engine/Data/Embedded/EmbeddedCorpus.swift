/// The corpus inside the program: short stories, plays, sums, questions, letters and verses in plain
/// English, written by a grammar from a fixed seed, the same on every machine.
///
/// A small model sees structure at several scales: spelling, word forms, sentences, quotes, a cast whose
/// names and pronouns stay the same through a document, arithmetic that is right.
public enum EmbeddedCorpus {
  /// What the corpus is called where a path would stand.
  public static let name = "embedded"

  /// Number of documents of the corpus.
  public static let documentCount = 4_500

  /// Origin of every choice; another number would be another corpus.
  private static let seed: UInt64 = 0x4E69_6262_6C65

  /// A line end more than the one that ends a document: a blank line stands between two of them.
  private static let separator: [UInt8] = Array("\n".utf8)

  /// The corpus with its documents, about a megabyte and a half of ASCII.
  ///
  /// - Complexity: A fraction of a second; keep the result.
  public static func generate() -> Corpus { generate(documentCount: documentCount) }

  /// The first documents of the corpus.
  static func generate(documentCount: Int) -> Corpus {
    let grammar = EmbeddedGrammar(
      [EmbeddedGrammar.words, EmbeddedGrammar.stories, EmbeddedGrammar.lessons].joined(separator: "\n"))
    var generator = EmbeddedGenerator(grammar, seed: seed)
    var documents: [TextDocument] = []
    for index in 0..<documentCount {
      let start = generator.output.count
      generator.appendDocument(index)
      generator.append(separator: Array("\n".utf8))
      let end = generator.output.count
      generator.append(separator: separator)
      documents.append(
        TextDocument(
          file: 0, text: start..<end, extent: start..<generator.output.count,
          characterCount: end - start, line: 0, isDivisible: false))
    }
    let file = DataFile(name: name, format: .text, bytes: .memory(generator.output))
    return Corpus(name: name, skippedFiles: [], files: [file], content: .text(documents))
  }
}
