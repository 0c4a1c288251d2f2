/// A document of text, by its place in a file.
struct TextDocument: Sendable {
  /// Which of the files.
  let file: Int
  /// The bytes of the document itself; for a .jsonl file the line with its JSON.
  var text: Range<Int>
  /// The document with the separators round it; the extents of a .txt file tile it without a gap.
  var extent: Range<Int>
  /// Characters (Unicode scalars) of `text`, after decoding.
  var characterCount: Int
  /// The line in a .jsonl file, from 1; 0 elsewhere.
  let line: Int
  /// Whether a split may cut inside: a whole .txt file may, a document between separators or in a
  /// .jsonl file may not.
  let isDivisible: Bool
  /// Whether a split cut off the end, so that the document does not end here.
  var isCut = false

  /// Whether the text must be decoded from JSON.
  var isJSON: Bool { line > 0 }
}

/// Characters and their boundaries in bytes that should be UTF-8.
enum UTF8Characters {
  /// Whether a byte begins a character; stray continuation bytes belong to the character before them.
  static func begins(_ byte: UInt8) -> Bool { byte & 0xC0 != 0x80 }

  /// The number of characters in a range.
  static func count(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
    var result = 0
    for index in range where begins(bytes[index]) { result += 1 }
    return result
  }

  /// Where the character after the first `count` characters of a range begins.
  static func offset(after count: Int, _ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
    var remaining = count
    for index in range where begins(bytes[index]) {
      if remaining == 0 { return index }
      remaining -= 1
    }
    return range.upperBound
  }
}

extension TextDocument {
  /// Where a byte order mark ends, which is no part of the text.
  static func textStart(_ bytes: Span<UInt8>) -> Int {
    bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
  }

  /// The documents of a .txt file: one, or those between separators.
  ///
  /// Empty ones are left out; their separators belong to the extent of the neighbour before, or after at
  /// the start of the file.
  static func documents(
    inText bytes: Span<UInt8>, file: Int, separator: [UInt8],
  ) -> [TextDocument] {
    let start = textStart(bytes)
    var parts: [Range<Int>] = []
    if separator.isEmpty {
      parts = [start..<bytes.count]
    } else {
      var partStart = start
      while let match = firstMatch(of: separator, bytes, from: partStart) {
        parts.append(partStart..<match)
        partStart = match + separator.count
      }
      parts.append(partStart..<bytes.count)
    }
    parts.removeAll(where: \.isEmpty)
    return parts.indices.map { index in
      let lower = index == 0 ? start : parts[index].lowerBound
      let upper = index + 1 < parts.count ? parts[index + 1].lowerBound : bytes.count
      return TextDocument(
        file: file, text: parts[index], extent: lower..<upper,
        characterCount: UTF8Characters.count(bytes, in: parts[index]), line: 0,
        isDivisible: separator.isEmpty)
    }
  }

  private static func firstMatch(of pattern: [UInt8], _ bytes: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    while index <= bytes.count - pattern.count {
      var matched = 0
      while matched < pattern.count, bytes[index + matched] == pattern[matched] { matched += 1 }
      if matched == pattern.count { return index }
      index += 1
    }
    return nil
  }
}
