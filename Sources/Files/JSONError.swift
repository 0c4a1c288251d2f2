/// Why a text is not the JSON we accept, and where.
public enum JSONError: Error, Sendable, Equatable {
  /// The grammar wants something else here.
  case syntax(at: JSONPosition, expected: String, found: String)
  /// A key stands twice in one object.
  case duplicateKey(at: JSONPosition, key: String)
  /// Arrays and objects are nested deeper than the limit.
  case tooDeep(at: JSONPosition, limit: Int)
  /// A byte sequence is not UTF-8.
  case invalidUTF8(at: JSONPosition)
  /// A `\u` escape names half of a surrogate pair.
  case loneSurrogate(at: JSONPosition, escape: String)
  /// A number is too large for a Double.
  case numberOutOfRange(at: JSONPosition, text: String)
}

/// A place in a JSON text.
public struct JSONPosition: Sendable, Equatable {
  /// What the text is, usually a path; "JSON text" when nobody said.
  public let source: String
  /// Line, from 1.
  public let line: Int
  /// Column in Unicode scalars, from 1.
  public let column: Int
  /// Bytes before this place.
  public let offset: Int
}

extension JSONError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .syntax(let place, let expected, let found):
      """
      cannot read JSON: expected \(expected), found \(found)
        at \(place)
        hint: the text must follow RFC 8259: no comments, no trailing commas, no NaN or Infinity
      """
    case .duplicateKey(let place, let key):
      """
      cannot read JSON: the key '\(key)' stands twice in one object
        at \(place)
        hint: remove one of the two
      """
    case .tooDeep(let place, let limit):
      """
      cannot read JSON: arrays and objects are nested more than \(limit) deep
        at \(place)
        hint: flatten the text; no file we know nests this deep
      """
    case .invalidUTF8(let place):
      """
      cannot read JSON: the bytes are not UTF-8
        at \(place)
        hint: save the file as UTF-8
      """
    case .loneSurrogate(let place, let escape):
      """
      cannot read JSON: \(escape) is half of a surrogate pair
        at \(place)
        hint: write both halves (\\ud83d\\ude00) or the character itself
      """
    case .numberOutOfRange(let place, let text):
      """
      cannot read JSON: the number \(text) is beyond the range of a Double
        at \(place)
        hint: the largest magnitude is 1.7976931348623157e308
      """
    }
  }
}

extension JSONPosition: CustomStringConvertible {
  public var description: String { "\(source):\(line):\(column)" }
}
