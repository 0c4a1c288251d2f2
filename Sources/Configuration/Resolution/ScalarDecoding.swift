import Terminal

/// How a scalar was written, which decides what it can mean.
enum ScalarNotation {
  /// Without quotes in YAML.
  case plain
  /// In quotes or as a block in YAML: always text.
  case quoted
  /// On the command line or in the environment.
  case argument
}

/// Reads written text as a value of a key's type.
///
/// YAML's own idea of types plays no part: `1e-5` is a number and `no` is a text wherever the key says so.
enum ScalarDecoding {
  /// What is wrong with a written value.
  struct Failure: Error {
    var message: String
    var hints: [String] = []
  }

  /// The value, checked against the key's range and syntax.
  ///
  /// - Parameters:
  ///   - text: As written.
  ///   - place: `in run.yaml:12`, for messages.
  static func value(
    _ text: String, notation: ScalarNotation, for key: ConfigurationKey, place: String
  ) throws(Failure) -> ConfigurationValue {
    if isNone(text, notation: notation, for: key) {
      guard key.acceptsNone else {
        throw Failure(message: "\(key.name) \(place) has no value; it takes \(key.kind.phrase)")
      }
      return .none
    }
    let value = try typed(text, notation: notation, for: key, place: place)
    try check(value, for: key, place: place)
    return value
  }

  /// The elements of a list written as one argument: `a,b` or `[a, b]`.
  static func listElements(_ text: String) -> [String] {
    var text = trimmed(text)
    if text.hasPrefix("["), text.hasSuffix("]"), text.count >= 2 {
      text = String(text.dropFirst().dropLast())
    }
    return text.split(separator: ",").map { trimmed(String($0)) }.filter { !$0.isEmpty }
  }

  /// Checks range and syntax of a typed value.
  static func check(_ value: ConfigurationValue, for key: ConfigurationKey, place: String) throws(Failure) {
    if let range = key.range {
      let (number, shown): (Double?, String) =
        switch value {
        case .integer(let integer): (Double(integer), String(integer))
        case .number(let number): (number, ConfigurationValue.plain(number))
        case .none, .boolean, .text, .list: (nil, "")
        }
      if let number, !range.contains(number) {
        throw Failure(message: "\(key.name) \(place) is \(shown); allowed: \(range.display)")
      }
    }
    var scratch = RunConfiguration()
    guard value == .none || key.write(&scratch, value) else { throw wrongType(value.display, key, place) }
  }

  private static func isNone(_ text: String, notation: ScalarNotation, for key: ConfigurationKey) -> Bool {
    switch notation {
    case .plain: return ["", "~", "null", "Null", "NULL"].contains(text)
    case .quoted: return false
    case .argument:
      // An empty text is a value where the key is plain text; so is the word null.
      if case .text = key.kind, !key.acceptsNone { return false }
      return text.isEmpty || text == "null"
    }
  }

  private static func typed(
    _ text: String, notation: ScalarNotation, for key: ConfigurationKey, place: String
  ) throws(Failure) -> ConfigurationValue {
    switch key.kind {
    case .text: return .text(text)
    case .list: return .list(notation == .argument ? listElements(text) : [text])
    case .choice(let names):
      guard names.contains(text) else {
        throw Failure(
          message: "\(key.name) \(place) is '\(text)', which it does not know",
          hints: nameHints(for: text, in: names, noun: "names"))
      }
      return .text(text)
    case .integer, .number, .boolean:
      guard notation != .quoted else {
        var failure = wrongType("the quoted text \"\(text)\"", key, place, quote: false)
        failure.hints = ["leave out the quotes"]
        throw failure
      }
    }
    switch key.kind {
    case .integer:
      if let integer = wholeNumber(text) { return .integer(integer) }
    case .number:
      if let number = decimalNumber(text) { return .number(number) }
    case .boolean:
      if ["true", "True", "TRUE"].contains(text) { return .boolean(true) }
      if ["false", "False", "FALSE"].contains(text) { return .boolean(false) }
    case .text, .choice, .list: break
    }
    throw wrongType(text, key, place)
  }

  private static func wrongType(
    _ text: String, _ key: ConfigurationKey, _ place: String, quote: Bool = true
  ) -> Failure {
    let shown = text.count > 80 ? String(text.prefix(77)) + "..." : text
    return Failure(
      message: "\(key.name) \(place) takes \(key.kind.phrase), not \(quote ? "'\(shown)'" : shown)")
  }

  /// A whole number: `1000`, `32_768`, `1e6`; nil if it is none or does not fit.
  static func wholeNumber(_ text: String) -> Int? {
    guard let digits = withoutSeparators(text) else { return nil }
    if let integer = Int(digits) { return integer }
    // Beyond 2^53 a Double no longer says which integer was meant.
    guard let number = decimalNumber(text), number.magnitude <= 9_007_199_254_740_992 else { return nil }
    return Int(exactly: number)
  }

  /// A finite decimal number: `3e-4`, `0.1`, `.5`, `1_000`; nil for anything else, such as `nan` or `0x10`.
  static func decimalNumber(_ text: String) -> Double? {
    guard let digits = withoutSeparators(text), isDecimal(digits) else { return nil }
    var readable = digits
    if readable.hasPrefix("+") { readable.removeFirst() }
    guard let number = Double(readable), number.isFinite else { return nil }
    return number
  }

  /// Removes `_` between digits; nil if one stands elsewhere.
  private static func withoutSeparators(_ text: String) -> String? {
    guard text.contains("_") else { return text }
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
      guard index > 0, index + 1 < bytes.count, isDigit(bytes[index - 1]), isDigit(bytes[index + 1]) else {
        return nil
      }
    }
    return text.filter { $0 != "_" }
  }

  /// `[+-] digits [. digits] [e [+-] digits]`, with at least one digit before the exponent.
  private static func isDecimal(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    func skipSign() {
      if let first = rest.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
        rest.removeFirst()
      }
    }
    func skipDigits() -> Int {
      let before = rest.count
      rest = rest.drop(while: isDigit)
      return before - rest.count
    }
    skipSign()
    var digits = skipDigits()
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      digits += skipDigits()
    }
    guard digits > 0 else { return false }
    if let first = rest.first, first == UInt8(ascii: "e") || first == UInt8(ascii: "E") {
      rest.removeFirst()
      skipSign()
      guard skipDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  private static func trimmed(_ text: String) -> String {
    var slice = text[...]
    while slice.first?.isWhitespace == true { slice.removeFirst() }
    while slice.last?.isWhitespace == true { slice.removeLast() }
    return String(slice)
  }
}
