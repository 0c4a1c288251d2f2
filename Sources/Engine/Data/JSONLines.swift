import Files

/// Reading of .jsonl files: a JSON object with `text` on each line; blank lines are fine.
enum JSONLines {
  /// The documents of a file; every line is parsed once to find its errors before anything is trained.
  static func documents(_ bytes: Span<UInt8>, file: Int, path: String) throws -> [TextDocument] {
    var documents: [TextDocument] = []
    var line = 0
    var start = TextDocument.textStart(bytes)
    while start < bytes.count {
      line += 1
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      if !isBlank(bytes, start..<end) {
        let text = try text(bytes, start..<end, path: path, line: line)
        if !text.isEmpty {
          documents.append(
            TextDocument(
              file: file, text: start..<end, extent: start..<end,
              characterCount: text.unicodeScalars.count, line: line, isDivisible: false))
        }
      }
      start = end + 1
    }
    return documents
  }

  /// The text of one line.
  ///
  /// - Throws: `DataError.invalidLine`.
  static func text(_ bytes: Span<UInt8>, _ range: Range<Int>, path: String, line: Int) throws -> String {
    func failure(_ problem: String, _ hint: String) -> DataError {
      .invalidLine(path: path, line: line, problem: problem, hint: hint)
    }
    let value: JSON
    do {
      value = try JSON.parse(bytes.extracting(range), source: path)
    } catch {
      throw failure(problem(error), "correct or remove the line; every line stands alone")
    }
    guard case .object(let object) = value else {
      throw failure("it is \(value.kind), not an object", "put the text under the key \"text\"")
    }
    guard let entry = object["text"] else {
      let keys = object.keys.prefix(8).map { "'\($0)'" }.joined(separator: ", ")
      throw failure(
        "the object has no key 'text'\(keys.isEmpty ? "" : " (it has \(keys))")",
        "rename the key that holds the text to \"text\"")
    }
    guard let text = entry.stringValue else {
      throw failure("'text' is \(entry.kind), not a string", "put the text in quotation marks")
    }
    return text
  }

  private static func isBlank(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range {
      switch bytes[index] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): continue
      default: return false
      }
    }
    return true
  }

  /// The parser sees one line only, so that its own line number is always 1 and only the column counts.
  private static func problem(_ error: JSONError) -> String {
    switch error {
    case .syntax(let place, let expected, let found):
      "it is not JSON: column \(place.column): expected \(expected), found \(found)"
    case .duplicateKey(let place, let key): "column \(place.column): the key '\(key)' stands twice"
    case .tooDeep(let place, let limit): "column \(place.column): nested more than \(limit) deep"
    case .invalidUTF8(let place): "column \(place.column): the bytes are not UTF-8"
    case .loneSurrogate(let place, let escape):
      "column \(place.column): \(escape) is half of a surrogate pair"
    case .numberOutOfRange(let place, let text): "column \(place.column): the number \(text) is too large"
    }
  }
}
