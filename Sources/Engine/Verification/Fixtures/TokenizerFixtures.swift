import Files
import Tokenizers

/// Texts with the ids that a tokenizer must give and the text that decoding these gives back.
///
/// A folder with `tokenizer.json` and `cases.jsonl`, one object `{"text", "ids", "decoded"}` a line. Every id and
/// every byte of the decoded text must be equal.
enum TokenizerFixtures {
  static let casesFile = "cases.jsonl"

  /// What was compared, and the first difference of each case that has one.
  struct Verdict {
    let count: Int
    let problems: [String]
  }

  static func run(_ folder: String) throws -> Verdict {
    let path = folder + "/" + casesFile
    let tokenizer = try TokenizerFile.load(folder)
    let lines = try lines(of: path)
    guard !lines.isEmpty else { throw FixtureError.nothingExpected(path: path) }
    var problems: [String] = []
    for (index, line) in lines.enumerated() {
      let place = "\(path):\(index + 1)"
      let json = try JSON.parse(line.span, source: place)
      guard let text = json["text"]?.stringValue, let decoded = json["decoded"]?.stringValue,
        let ids = identifiers(json["ids"])
      else { throw FixtureError.invalid(path: place, problem: "a case has 'text', 'ids' and 'decoded'") }
      if let problem = problem(text, ids, decoded, tokenizer) { problems.append("\(place): \(problem)") }
    }
    return Verdict(count: lines.count, problems: problems)
  }

  private static func lines(of path: String) throws -> [ArraySlice<UInt8>] {
    let bytes = try MappedFile(path: path).withBytes { bytes in
      var copy: [UInt8] = []
      copy.reserveCapacity(bytes.count)
      for index in bytes.indices { copy.append(bytes[index]) }
      return copy
    }
    return bytes.split(separator: UInt8(ascii: "\n"))
  }

  private static func identifiers(_ json: JSON?) -> [Int32]? {
    guard let array = json?.arrayValue else { return nil }
    let ids = array.compactMap { $0.integerValue.flatMap { Int32(exactly: $0) } }
    return ids.count == array.count ? ids : nil
  }

  private static func problem(
    _ text: String, _ ids: [Int32], _ decoded: String, _ tokenizer: BPETokenizer,
  ) -> String? {
    let got = tokenizer.encode(text)
    if got != ids {
      let first =
        zip(got, ids).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(got.count, ids.count)
      return "encoding gives \(got.count) ids, \(ids.count) expected; the first difference is at \(first): "
        + "\(got.dropFirst(first).prefix(4).map(String.init)) instead of "
        + "\(ids.dropFirst(first).prefix(4).map(String.init))"
    }
    let back = tokenizer.decode(ids)
    // Strings are equal when they look the same; bytes are meant here.
    return back.utf8.elementsEqual(decoded.utf8) ? nil : "decoding gives '\(back)' instead of '\(decoded)'"
  }
}
