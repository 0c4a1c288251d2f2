/// A JSON value to be written: keys keep their order, numbers are plain.
public indirect enum JSONText: Sendable, Hashable, CustomStringConvertible {
  /// An object; its members in the order given.
  case object([Member])
  /// An array.
  case array([JSONText])
  /// A string.
  case string(String)
  /// An integer.
  case integer(Int)
  /// A number; NaN and infinities, which JSON lacks, are written as `null`.
  case number(Double)
  /// True or false.
  case boolean(Bool)
  /// Nothing.
  case null

  /// One member of an object.
  public struct Member: Sendable, Hashable {
    /// The key.
    public var key: String
    /// The value.
    public var value: JSONText

    /// A member from key and value.
    public init(_ key: String, _ value: JSONText) {
      self.key = key
      self.value = value
    }
  }

  /// On one line, for JSON lines.
  public var description: String {
    var text = ""
    write(to: &text, indent: nil, level: 0)
    return text
  }

  /// Over several lines, two spaces a level.
  public var indented: String {
    var text = ""
    write(to: &text, indent: "  ", level: 0)
    return text
  }

  private func write(to text: inout String, indent: String?, level: Int) {
    switch self {
    case .object(let members):
      writeItems(members, brackets: ("{", "}"), to: &text, indent: indent, level: level) { member, text in
        text += JSONText.quoted(member.key) + (indent == nil ? ":" : ": ")
        member.value.write(to: &text, indent: indent, level: level + 1)
      }
    case .array(let elements):
      writeItems(elements, brackets: ("[", "]"), to: &text, indent: indent, level: level) { element, text in
        element.write(to: &text, indent: indent, level: level + 1)
      }
    case .string(let string): text += JSONText.quoted(string)
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .null: text += "null"
    }
  }

  private func writeItems<Item>(
    _ items: [Item], brackets: (String, String), to text: inout String, indent: String?, level: Int,
    each: (Item, inout String) -> Void
  ) {
    text += brackets.0
    for (index, item) in items.enumerated() {
      if index > 0 { text += "," }
      if let indent { text += "\n" + String(repeating: indent, count: level + 1) }
      each(item, &text)
    }
    if let indent, !items.isEmpty { text += "\n" + String(repeating: indent, count: level) }
    text += brackets.1
  }

  private static func quoted(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

extension JSONText: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// True or false.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

extension JSONText: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
  /// An object with its members in the order written.
  public init(dictionaryLiteral elements: (String, JSONText)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
  /// An array.
  public init(arrayLiteral elements: JSONText...) { self = .array(elements) }
}
