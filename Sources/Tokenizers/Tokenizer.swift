/// Turns text into ids and back.
///
/// Encoding never fails: text that is not UTF-8 is repaired with U+FFFD by those who need characters.
/// Decoding never fails either: an id outside the vocabulary decodes to U+FFFD (three bytes EF BF BD).
public protocol Tokenizer: Sendable {
  /// The highest id plus one: the smallest embedding table that holds every id.
  var vocabularySize: Int { get }

  /// The id that ends a document, if there is one.
  var endOfText: Int32? { get }

  /// The id that begins a document, if there is one.
  var beginningOfText: Int32? { get }

  /// Every id after which generation stops; contains `endOfText` if that exists.
  var stopIDs: [Int32] { get }

  /// The ids of a text.
  func encode(_ text: String, special: SpecialTokenUse) -> [Int32]

  /// The ids of bytes, usually UTF-8.
  func encode(bytes: [UInt8], special: SpecialTokenUse) -> [Int32]

  /// The bytes an id stands for; nil outside the vocabulary and in its gaps.
  func bytes(of id: Int32) -> [UInt8]?

  /// The id of a token by its spelling in the vocabulary file.
  func id(of token: String) -> Int32?

  /// Whether an id is a special token, which a reader of decoded text usually does not want to see.
  func isSpecial(_ id: Int32) -> Bool

  /// The bytes of several ids in order.
  func decodeBytes(_ ids: some Sequence<Int32>) -> [UInt8]
}

/// What encoding does about special tokens such as `<|endoftext|>`.
public enum SpecialTokenUse: Sendable, Hashable, CaseIterable {
  /// Their spelling in a text becomes their id. The usual choice.
  case recognized
  /// Their spelling is text like any other: for text from strangers.
  case ignored
  /// Recognized, and the template of the file puts its own (such as a beginning of text) round the ids.
  case added
}

extension Tokenizer {
  /// The ids of a text; special tokens spelled out in it are recognized, none is added.
  public func encode(_ text: String) -> [Int32] { encode(text, special: .recognized) }

  /// The ids of bytes; special tokens spelled out in them are recognized, none is added.
  public func encode(bytes: [UInt8]) -> [Int32] { encode(bytes: bytes, special: .recognized) }

  /// The text of ids; bytes that do not form UTF-8 become U+FFFD.
  public func decode(_ ids: some Sequence<Int32>) -> String {
    String(decoding: decodeBytes(ids), as: UTF8.self)
  }

  /// The text of ids without special tokens.
  public func decodeSkippingSpecial(_ ids: some Sequence<Int32>) -> String {
    decode(ids.filter { !isSpecial($0) })
  }

  public func decodeBytes(_ ids: some Sequence<Int32>) -> [UInt8] {
    var result: [UInt8] = []
    for id in ids { result.append(contentsOf: bytes(of: id) ?? replacementBytes) }
    return result
  }

  public var stopIDs: [Int32] { endOfText.map { [$0] } ?? [] }
}

/// U+FFFD in UTF-8.
let replacementBytes: [UInt8] = [0xEF, 0xBF, 0xBD]
