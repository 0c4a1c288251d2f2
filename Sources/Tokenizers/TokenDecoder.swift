/// Decodes ids one at a time and hands out text as soon as its characters are complete.
///
/// A token may end in the middle of a character; its first bytes then wait for the next token. All pieces
/// together, `finish()` included, are what `decode` makes of all ids at once.
public struct TokenDecoder: Sendable {
  private let tokenizer: any Tokenizer
  private let special: SpecialTokenVisibility
  private var pending: [UInt8] = []

  /// Whether decoded text shows special tokens.
  public enum SpecialTokenVisibility: Sendable {
    case shown
    case hidden
  }

  /// Creates a decoder at the beginning of a text.
  public init(_ tokenizer: any Tokenizer, special: SpecialTokenVisibility = .shown) {
    self.tokenizer = tokenizer
    self.special = special
  }

  /// Takes the next id and returns the text that is now certain, often empty or one word.
  public mutating func append(_ id: Int32) -> String {
    if special == .hidden, tokenizer.isSpecial(id) { return "" }
    pending.append(contentsOf: tokenizer.bytes(of: id) ?? replacementBytes)
    let complete = pending.count - Self.unfinishedLength(pending)
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// Ends the text: bytes of an unfinished character become U+FFFD.
  public mutating func finish() -> String {
    defer { pending.removeAll() }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end begin a character that more bytes could complete: 0 to 3.
  private static func unfinishedLength(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let expected = expectedLength(lead)
      guard expected > length else { return 0 }
      return length == 1 || mayFollow(bytes[bytes.count - length + 1], lead) ? length : 0
    }
    return 0
  }

  /// The length of the sequence a lead byte announces; 1 for ASCII and for bytes that lead nothing.
  private static func expectedLength(_ lead: UInt8) -> Int {
    switch lead {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  /// Whether a continuation byte is allowed directly behind a lead byte (no overlong forms, no
  /// surrogates, nothing beyond U+10FFFF; The Unicode Standard, table 3-7).
  private static func mayFollow(_ second: UInt8, _ lead: UInt8) -> Bool {
    switch lead {
    case 0xE0: second >= 0xA0
    case 0xED: second < 0xA0
    case 0xF0: second >= 0x90
    case 0xF4: second < 0x90
    default: true
    }
  }
}
