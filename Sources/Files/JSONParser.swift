extension JSON {
  /// Deepest nesting of arrays and objects the parser accepts.
  public static let maximumDepth = 256

  /// Parses one JSON value from UTF-8 bytes, strictly after RFC 8259.
  ///
  /// - Parameters:
  ///   - bytes: The whole text; a byte order mark is refused.
  ///   - source: What the text is, for messages; usually the path.
  /// - Returns: The value.
  /// - Throws: `JSONError` with line and column. Duplicate keys, invalid UTF-8, lone surrogates, nesting
  ///   beyond `maximumDepth` and numbers beyond a Double are errors. Integers beyond 64 bits become
  ///   the nearest Double.
  public static func parse(_ bytes: [UInt8], source: String = "JSON text") throws(JSONError) -> JSON {
    try parse(bytes.span, source: source)
  }

  /// Parses what Python's `json` module writes: also `Infinity`, `-Infinity` and `NaN`.
  ///
  /// They become the object that newer Python libraries write in their place: `{"__float__": "Infinity"}`.
  public static func parsePython(_ bytes: Span<UInt8>, source: String) throws(JSONError) -> JSON {
    var parser = JSONParser(source: source)
    parser.acceptsPythonNumbers = true
    return try parser.document(bytes)
  }

  /// Parses one JSON value from UTF-8 bytes that somebody else owns (a mapped file); nothing is copied.
  public static func parse(_ bytes: Span<UInt8>, source: String = "JSON text") throws(JSONError) -> JSON {
    var parser = JSONParser(source: source)
    return try parser.document(bytes)
  }

  /// Parses one JSON value from a raw buffer, for callers that hold a pointer.
  public static func parse(
    _ bytes: UnsafeRawBufferPointer, source: String = "JSON text",
  ) throws(JSONError) -> JSON {
    try parse(RawSpan(_unsafeBytes: bytes)._unsafeView(as: UInt8.self), source: source)
  }

  /// Parses one JSON value from a string.
  public init(parsing text: String, source: String = "JSON text") throws(JSONError) {
    self = try JSON.parse(text.utf8Span.span, source: source)
  }
}

/// A recursive-descent parser; the text is passed along, the state is where we are in it.
struct JSONParser {
  let source: String
  var acceptsPythonNumbers = false
  private var offset = 0
  private var depth = 0

  init(source: String) {
    self.source = source
  }

  mutating func document(_ text: Span<UInt8>) throws(JSONError) -> JSON {
    skipSpace(text)
    let result = try value(text)
    skipSpace(text)
    guard offset == text.count else { throw syntax(text, expected: "the end of the text") }
    return result
  }

  private mutating func value(_ text: Span<UInt8>) throws(JSONError) -> JSON {
    guard offset < text.count else { throw syntax(text, expected: "a value") }
    if acceptsPythonNumbers, let number = try pythonNumber(text) { return number }
    switch text[offset] {
    case UInt8(ascii: "{"): return .object(try object(text))
    case UInt8(ascii: "["): return .array(try array(text))
    case UInt8(ascii: "\""): return .string(try string(text))
    case UInt8(ascii: "t"): return try literal("true", .bool(true), text)
    case UInt8(ascii: "f"): return try literal("false", .bool(false), text)
    case UInt8(ascii: "n"): return try literal("null", .null, text)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(text)
    default: throw syntax(text, expected: "a value")
    }
  }

  private mutating func pythonNumber(_ text: Span<UInt8>) throws(JSONError) -> JSON? {
    func named(_ name: String) -> JSON { .object(["__float__": .string(name)]) }
    let isNegative = text[offset] == UInt8(ascii: "-")
    guard offset + (isNegative ? 1 : 0) < text.count else { return nil }
    switch (isNegative, text[offset + (isNegative ? 1 : 0)]) {
    case (false, UInt8(ascii: "I")): return try literal("Infinity", named("Infinity"), text)
    case (true, UInt8(ascii: "I")): return try literal("-Infinity", named("-Infinity"), text)
    case (false, UInt8(ascii: "N")): return try literal("NaN", named("NaN"), text)
    default: return nil
    }
  }

  private mutating func literal(
    _ word: StaticString, _ value: JSON, _ text: Span<UInt8>,
  ) throws(JSONError) -> JSON {
    for (index, byte) in String(describing: word).utf8.enumerated() {
      guard offset + index < text.count, text[offset + index] == byte else {
        throw syntax(text, expected: "'\(word)'")
      }
    }
    offset += word.utf8CodeUnitCount
    return value
  }
}

// MARK: - Containers

extension JSONParser {
  private mutating func array(_ text: Span<UInt8>) throws(JSONError) -> [JSON] {
    try enter(text)
    var elements: [JSON] = []
    if skip(UInt8(ascii: "]"), text) { return elements }
    while true {
      elements.append(try value(text))
      skipSpace(text)
      if skip(UInt8(ascii: ","), text) { continue }
      if skip(UInt8(ascii: "]"), text) { return elements }
      throw syntax(text, expected: "',' or ']'")
    }
  }

  private mutating func object(_ text: Span<UInt8>) throws(JSONError) -> JSONObject {
    try enter(text)
    var members = JSONObject()
    if skip(UInt8(ascii: "}"), text) { return members }
    while true {
      let keyOffset = offset
      guard offset < text.count, text[offset] == UInt8(ascii: "\"") else {
        throw syntax(text, expected: "a key in double quotes")
      }
      let key = try string(text)
      skipSpace(text)
      guard offset < text.count, text[offset] == UInt8(ascii: ":") else {
        throw syntax(text, expected: "':' after a key")
      }
      offset += 1
      skipSpace(text)
      let member = try value(text)
      guard members.appendIfAbsent(key, member) else {
        throw .duplicateKey(at: position(of: keyOffset, in: text), key: key)
      }
      skipSpace(text)
      if skip(UInt8(ascii: ","), text) { continue }
      if skip(UInt8(ascii: "}"), text) { return members }
      throw syntax(text, expected: "',' or '}'")
    }
  }

  /// Steps over an opening bracket and the space behind it.
  private mutating func enter(_ text: Span<UInt8>) throws(JSONError) {
    depth += 1
    guard depth <= JSON.maximumDepth else {
      throw .tooDeep(at: position(of: offset, in: text), limit: JSON.maximumDepth)
    }
    offset += 1
    skipSpace(text)
  }

  /// Steps over `mark` and, if it separates rather than closes, the space behind it.
  private mutating func skip(_ mark: UInt8, _ text: Span<UInt8>) -> Bool {
    guard offset < text.count, text[offset] == mark else { return false }
    offset += 1
    if mark == UInt8(ascii: ",") { skipSpace(text) } else { depth -= 1 }
    return true
  }

  private mutating func skipSpace(_ text: Span<UInt8>) {
    while offset < text.count {
      switch text[offset] {
      case 0x20, 0x0A, 0x0D, 0x09: offset += 1
      default: return
      }
    }
  }
}

// MARK: - Strings

extension JSONParser {
  private mutating func string(_ text: Span<UInt8>) throws(JSONError) -> String {
    offset += 1
    let start = offset
    var hasEscape = false
    scan: while true {
      guard offset < text.count else { throw syntax(text, expected: "'\"' at the end of a string") }
      switch text[offset] {
      case UInt8(ascii: "\""): break scan
      case UInt8(ascii: "\\"):
        hasEscape = true
        offset += 2
      case 0..<0x20: throw syntax(text, expected: "a character or an escape inside a string")
      default: offset += 1
      }
    }
    let end = offset
    let raw: UTF8Span
    do {
      raw = try UTF8Span(validating: text.extracting(start..<end))
    } catch {
      throw .invalidUTF8(at: position(of: start + error.byteOffsets.lowerBound, in: text))
    }
    let result: String
    if hasEscape {
      offset = start
      result = try unescape(text, upTo: end)
    } else {
      result = String(copying: raw)
    }
    offset = end + 1
    return result
  }

  /// Replaces the escapes of a string whose raw bytes, from `offset` to `end`, are valid UTF-8.
  private mutating func unescape(_ text: Span<UInt8>, upTo end: Int) throws(JSONError) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(end - offset)
    while offset < end {
      let byte = text[offset]
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        offset += 1
        continue
      }
      switch text[offset + 1] {
      case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
      case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "/"): bytes.append(UInt8(ascii: "/"))
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0C)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "u"):
        bytes.append(contentsOf: String(Character(try unicodeEscape(text))).utf8)
        continue
      default:
        offset += 1
        throw syntax(text, expected: "one of \" \\ / b f n r t u after '\\'")
      }
      offset += 2
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads `\uXXXX`, and a second one when the first is the high half of a surrogate pair.
  private mutating func unicodeEscape(_ text: Span<UInt8>) throws(JSONError) -> Unicode.Scalar {
    let start = offset
    let first = try fourDigits(text)
    if let scalar = Unicode.Scalar(UInt32(first)) { return scalar }
    let escape = "\\u" + String(first, radix: 16)
    guard first < 0xDC00, offset + 1 < text.count, text[offset] == UInt8(ascii: "\\"),
      text[offset + 1] == UInt8(ascii: "u")
    else { throw .loneSurrogate(at: position(of: start, in: text), escape: escape) }
    let second = try fourDigits(text)
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (UInt32(first & 0x3FF) << 10 | UInt32(second & 0x3FF)))
    else { throw .loneSurrogate(at: position(of: start, in: text), escape: escape) }
    return scalar
  }

  private mutating func fourDigits(_ text: Span<UInt8>) throws(JSONError) -> UInt16 {
    offset += 2
    var result: UInt16 = 0
    for _ in 0..<4 {
      guard offset < text.count, let digit = Character(Unicode.Scalar(text[offset])).hexDigitValue,
        text[offset] < 0x80
      else { throw syntax(text, expected: "four hexadecimal digits after '\\u'") }
      result = result << 4 | UInt16(digit)
      offset += 1
    }
    return result
  }
}

// MARK: - Numbers and messages

extension JSONParser {
  private mutating func number(_ text: Span<UInt8>) throws(JSONError) -> JSON {
    let start = offset
    let isNegative = text[offset] == UInt8(ascii: "-")
    if isNegative { offset += 1 }
    let digitsStart = offset
    var magnitude: Int64? = 0
    while offset < text.count, let digit = Self.digit(text[offset]) {
      magnitude = Self.appending(digit, to: magnitude, isNegative: isNegative)
      offset += 1
    }
    guard offset > digitsStart else { throw syntax(text, expected: "a digit") }
    if text[digitsStart] == UInt8(ascii: "0"), offset - digitsStart > 1 {
      offset = digitsStart + 1
      throw syntax(text, expected: "no digit after a leading 0")
    }
    var isInteger = true
    if offset < text.count, text[offset] == UInt8(ascii: ".") {
      isInteger = false
      offset += 1
      try digits(text)
    }
    if offset < text.count, text[offset] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      offset += 1
      if offset < text.count, text[offset] == UInt8(ascii: "+") || text[offset] == UInt8(ascii: "-") {
        offset += 1
      }
      try digits(text)
    }
    // "-0" stays a Double: an integer cannot keep its sign.
    if isInteger, let magnitude, !(isNegative && magnitude == 0) { return .integer(magnitude) }
    var spelling = ""
    for index in start..<offset { spelling.unicodeScalars.append(Unicode.Scalar(text[index])) }
    guard let result = Double(spelling), result.isFinite else {
      throw .numberOutOfRange(at: position(of: start, in: text), text: String(spelling.prefix(40)))
    }
    return .number(result)
  }

  /// One or more digits.
  private mutating func digits(_ text: Span<UInt8>) throws(JSONError) {
    let start = offset
    while offset < text.count, Self.digit(text[offset]) != nil { offset += 1 }
    guard offset > start else { throw syntax(text, expected: "a digit") }
  }

  private static func digit(_ byte: UInt8) -> Int64? {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte & 0x0F) : nil
  }

  /// The signed value with one more digit, nil once it has left 64 bits.
  private static func appending(_ digit: Int64, to value: Int64?, isNegative: Bool) -> Int64? {
    guard let value else { return nil }
    let (tenfold, firstOverflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, secondOverflow) =
      isNegative ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
    return firstOverflow || secondOverflow ? nil : sum
  }

  private func syntax(_ text: Span<UInt8>, expected: String) -> JSONError {
    let found: String
    if offset >= text.count {
      found = "the end of the text"
    } else if offset == 0, text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF {
      found = "a byte order mark"
    } else if text[offset] > 0x20, text[offset] < 0x7F {
      found = "'\(Unicode.Scalar(text[offset]))'"
    } else {
      found = "byte 0x\(text[offset] < 16 ? "0" : "")\(String(text[offset], radix: 16))"
    }
    return .syntax(at: position(of: offset, in: text), expected: expected, found: found)
  }

  private func position(of offset: Int, in text: Span<UInt8>) -> JSONPosition {
    var line = 1
    var column = 1
    for index in 0..<min(offset, text.count) {
      if text[index] == 0x0A {
        line += 1
        column = 1
      } else if text[index] & 0xC0 != 0x80 {
        column += 1
      }
    }
    return JSONPosition(source: source, line: line, column: column, offset: min(offset, text.count))
  }
}
