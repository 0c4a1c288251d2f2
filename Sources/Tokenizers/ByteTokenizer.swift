/// Bytes as ids: lossless for any input, needs no file.
public struct ByteTokenizer: Tokenizer {
  /// Whether id 256 ends a text.
  public enum EndOfText: Sendable {
    case absent
    case present
  }

  public let endOfText: Int32?

  /// Creates a tokenizer of 256 ids, or 257 with an id for the end of a text.
  public init(endOfText: EndOfText = .absent) {
    switch endOfText {
    case .absent: self.endOfText = nil
    case .present: self.endOfText = 256
    }
  }

  /// The name of the end of a text in `id(of:)`; it is not looked for in texts.
  public static let endOfTextName = "<|endoftext|>"

  public var vocabularySize: Int { endOfText == nil ? 256 : 257 }

  public var beginningOfText: Int32? { nil }

  /// The UTF-8 bytes of a text; `special` makes no difference.
  public func encode(_ text: String, special: SpecialTokenUse) -> [Int32] { text.utf8.map(Int32.init) }

  /// The bytes as they are; `special` makes no difference.
  public func encode(bytes: [UInt8], special: SpecialTokenUse) -> [Int32] { bytes.map(Int32.init) }

  /// One byte; none for the end of a text.
  public func bytes(of id: Int32) -> [UInt8]? {
    if isSpecial(id) { return [] }
    return UInt8(exactly: id).map { [$0] }
  }

  /// The id of the end of a text, or of a token of one byte.
  public func id(of token: String) -> Int32? {
    if token == Self.endOfTextName { return endOfText }
    let bytes = Array(token.utf8)
    return bytes.count == 1 ? Int32(bytes[0]) : nil
  }

  public func isSpecial(_ id: Int32) -> Bool { endOfText == id }
}
