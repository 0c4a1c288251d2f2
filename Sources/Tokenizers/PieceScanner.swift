/// Hand-written scanners for the splitting patterns of the large model families.
///
/// Each finds the end of the piece that begins at a byte, exactly as the pattern would match there; the
/// patterns cover every text without gaps. Some 100 times faster than a general expression engine.
struct PieceScanner: Sendable {
  /// How a family splits.
  enum Rules: Sendable, Equatable {
    /// GPT-2: lower-case contractions; a space joins letters, numbers or other signs.
    case gpt2
    /// cl100k, Llama 3, Qwen 2: contractions of any case, any sign before letters, numbers in groups of
    /// at most `digits`, line ends kept with what stands before them.
    case lineAware(digits: Int)
  }

  let rules: Rules
  private let classes = UnicodeClasses.shared

  init(_ rules: Rules) {
    self.rules = rules
  }

  /// The scanner for a pattern as it stands in a file, compared character by character.
  init?(pattern: String) {
    guard let known = Self.knownPatterns.first(where: { $0.pattern == pattern }) else { return nil }
    self.init(known.rules)
  }

  /// The end of the piece that begins at `start`, where `limit` beyond it is the end of the text as the
  /// pattern sees it.
  func endOfPiece(_ text: Span<UInt8>, from start: Int, limit: Int) -> Int {
    switch rules {
    case .gpt2: endOfGPT2Piece(text, start, limit)
    case .lineAware(let digits): endOfLineAwarePiece(text, start, limit, digits)
    }
  }
}

extension PieceScanner {
  static let gpt2Pattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  static let llama3Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
    + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let qwen2Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
    + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// Spellings seen in files.
  ///
  /// Possessive quantifiers and one or several line ends match the same pieces.
  private static let knownPatterns: [(pattern: String, rules: Rules)] = [
    (gpt2Pattern, .gpt2),
    (#"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, .gpt2),
    (llama3Pattern, .lineAware(digits: 3)),
    (qwen2Pattern, .lineAware(digits: 1)),
    (
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"#
        + #"|\s*[\r\n]|\s+(?!\S)|\s+"#, .lineAware(digits: 3)
    ),
    (
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"#
        + #"|\s*[\r\n]|\s+(?!\S)|\s+"#, .lineAware(digits: 3)
    ),
  ]

  private static let letter = UnicodeClasses.letter
  private static let number = UnicodeClasses.number
  private static let solid = UnicodeClasses.letter | UnicodeClasses.number | UnicodeClasses.space
  private static let carriageReturn = UInt8(ascii: "\r")
  private static let lineFeed = UInt8(ascii: "\n")
}

extension PieceScanner {
  private func endOfGPT2Piece(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var body = start
    if text[start] == UInt8(ascii: "'") {
      let end = endOfContraction(text, start, limit, anyCase: false)
      if end > start { return end }
    } else if text[start] == UInt8(ascii: " "), start + 1 < limit {
      body += 1
    }
    let kind = classes(text.scalar(at: body).value)
    if kind & Self.letter != 0 { return endOfRun(text, body, limit, Self.letter) }
    if kind & Self.number != 0 { return endOfRun(text, body, limit, Self.number) }
    if kind & UnicodeClasses.space == 0 { return endOfSigns(text, body, limit) }
    return endOfSpace(text, start, limit, lineAware: false)
  }

  private func endOfLineAwarePiece(_ text: Span<UInt8>, _ start: Int, _ limit: Int, _ digits: Int) -> Int {
    let lead = text[start]
    if lead == UInt8(ascii: "'") {
      let end = endOfContraction(text, start, limit, anyCase: true)
      if end > start { return end }
    }
    let (scalar, length) = text.scalar(at: start)
    let kind = classes(scalar)
    if kind & Self.letter != 0 { return endOfRun(text, start, limit, Self.letter) }
    if kind & Self.number != 0 { return endOfDigits(text, start, limit, digits) }
    let next = start + length
    let nextKind = next < limit ? classes(text.scalar(at: next).value) : UnicodeClasses.space
    if nextKind & Self.letter != 0, lead != Self.carriageReturn, lead != Self.lineFeed {
      return endOfRun(text, next, limit, Self.letter)
    }
    if kind & UnicodeClasses.space == 0 { return endOfSignsAndLines(text, start, limit) }
    if lead == UInt8(ascii: " "), nextKind & Self.solid == 0 { return endOfSignsAndLines(text, next, limit) }
    return endOfSpace(text, start, limit, lineAware: true)
  }

  /// The end of a run of scalars of a class.
  @inline(__always)
  private func endOfRun(_ text: Span<UInt8>, _ start: Int, _ limit: Int, _ kind: UInt8) -> Int {
    var end = start
    while end < limit {
      let (scalar, length) = text.scalar(at: end)
      guard classes(scalar) & kind != 0 else { break }
      end += length
    }
    return end
  }

  /// The end of a run of scalars that are neither letters, numbers nor white space.
  private func endOfSigns(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var end = start
    while end < limit {
      let (scalar, length) = text.scalar(at: end)
      guard classes(scalar) & Self.solid == 0 else { break }
      end += length
    }
    return end
  }

  private func endOfSignsAndLines(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var end = endOfSigns(text, start, limit)
    while end < limit, text[end] == Self.carriageReturn || text[end] == Self.lineFeed { end += 1 }
    return end
  }

  private func endOfDigits(_ text: Span<UInt8>, _ start: Int, _ limit: Int, _ most: Int) -> Int {
    var end = start
    var count = 0
    while end < limit, count < most {
      let (scalar, length) = text.scalar(at: end)
      guard classes(scalar) & Self.number != 0 else { break }
      end += length
      count += 1
    }
    return end
  }

  /// White space: up to its last line end (line-aware rules), otherwise without the last scalar when
  /// something else follows, so that it can join what follows.
  private func endOfSpace(_ text: Span<UInt8>, _ start: Int, _ limit: Int, lineAware: Bool) -> Int {
    var end = start
    var last = start
    var afterLine = start
    while end < limit {
      let (scalar, length) = text.scalar(at: end)
      guard classes(scalar) & UnicodeClasses.space != 0 else { break }
      last = end
      end += length
      if text[last] == Self.carriageReturn || text[last] == Self.lineFeed { afterLine = end }
    }
    if lineAware, afterLine > start { return afterLine }
    return end == limit || last == start ? end : last
  }

  /// The end of 's 't 'm 'd 're 've 'll at an apostrophe, or `start` when there is none.
  private func endOfContraction(_ text: Span<UInt8>, _ start: Int, _ limit: Int, anyCase: Bool) -> Int {
    guard start + 1 < limit else { return start }
    let fold: UInt8 = anyCase ? 0x20 : 0
    let first = text[start + 1] | fold
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    default: break
    }
    guard start + 2 < limit else { return start }
    // The long s (U+017F) folds to s.
    if anyCase, text[start + 1] == 0xC5, text[start + 2] == 0xBF { return start + 3 }
    switch (first, text[start + 2] | fold) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default: return start
    }
  }
}
