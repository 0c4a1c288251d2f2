/// How a JSON text is laid out.
public enum JSONStyle: Sendable, Hashable {
  /// No space at all.
  case compact
  /// One member or element per line, indented by two spaces, like Python's `json.dump(indent=2)`.
  case pretty
}

extension JSON {
  /// The JSON text as a string; the same value always gives the same text.
  public func serialized(_ style: JSONStyle = .compact) -> String {
    String(decoding: serializedBytes(style), as: UTF8.self)
  }

  /// The JSON text as UTF-8 bytes, without a line end behind it.
  ///
  /// Numbers are the shortest text that reads back as the same Double; infinities and NaN, which JSON
  /// does not have, are written as `null`. Only quotes, backslashes and control characters are escaped.
  public func serializedBytes(_ style: JSONStyle = .compact) -> [UInt8] {
    var output: [UInt8] = []
    write(to: &output, style, indent: 0)
    return output
  }

  private func write(to output: inout [UInt8], _ style: JSONStyle, indent: Int) {
    switch self {
    case .null: output += "null".utf8
    case .bool(let value): output += (value ? "true" : "false").utf8
    case .integer(let value): output += String(value).utf8
    case .number(let value): output += (value.isFinite ? value.description : "null").utf8
    case .string(let value): Self.write(value, to: &output)
    case .array(let elements):
      Self.write(elements, between: "[", "]", to: &output, style, indent) { element, output in
        element.write(to: &output, style, indent: indent + 1)
      }
    case .object(let members):
      Self.write(members.entries, between: "{", "}", to: &output, style, indent) { entry, output in
        Self.write(entry.key, to: &output)
        output += (style == .pretty ? ": " : ":").utf8
        entry.value.write(to: &output, style, indent: indent + 1)
      }
    }
  }

  private static func write<Element>(
    _ elements: [Element], between open: String, _ close: String, to output: inout [UInt8],
    _ style: JSONStyle, _ indent: Int, each: (Element, inout [UInt8]) -> Void,
  ) {
    output += open.utf8
    for (index, element) in elements.enumerated() {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      if style == .pretty { breakLine(in: &output, indent: indent + 1) }
      each(element, &output)
    }
    if style == .pretty, !elements.isEmpty { breakLine(in: &output, indent: indent) }
    output += close.utf8
  }

  private static func breakLine(in output: inout [UInt8], indent: Int) {
    output.append(0x0A)
    output.append(contentsOf: repeatElement(0x20, count: 2 * indent))
  }

  private static func write(_ text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): output += "\\\"".utf8
      case UInt8(ascii: "\\"): output += "\\\\".utf8
      case 0x08: output += "\\b".utf8
      case 0x0C: output += "\\f".utf8
      case 0x0A: output += "\\n".utf8
      case 0x0D: output += "\\r".utf8
      case 0x09: output += "\\t".utf8
      case 0..<0x20: output += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }
}
