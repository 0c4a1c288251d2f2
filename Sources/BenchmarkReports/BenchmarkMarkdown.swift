import Terminal

extension BenchmarkReport {
  /// The tables in GitHub's Markdown with their captions below, all columns.
  ///
  /// - Parameter comparison: Its table and sentences follow.
  public func markdown(_ comparison: BenchmarkComparison? = nil) -> String {
    let tables = tables() + (comparison.map { [$0.table()] } ?? [])
    let sentences = captions(glyphs: .unicode) + (comparison?.captions ?? [])
    let blocks =
      tables.map(\.markdown) + [sentences.map { "- " + MarkdownText.escaped($0) }.joined(separator: "\n")]
    return blocks.joined(separator: "\n\n") + "\n"
  }
}

/// Sentences in Markdown.
enum MarkdownText {
  /// Names with underscores and the like must not turn into emphasis.
  static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      if "\\`*_<>[]|".contains(character) { result.append("\\") }
      result.append(character)
    }
  }
}
