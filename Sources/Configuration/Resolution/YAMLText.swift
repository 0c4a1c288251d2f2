/// Writes scalars as YAML.
enum YAMLText {
  /// A text as a YAML scalar: plain where that cannot be misread, else in double quotes.
  static func scalar(_ text: String) -> String {
    isPlain(text) ? text : quoted(text)
  }

  /// Only letters, digits and a few signs, beginning with a letter, `.` or `/`, and no word with a meaning.
  private static func isPlain(_ text: String) -> Bool {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
    guard let first = text.utf8.first, !words.contains(text.lowercased()) else { return false }
    guard isLetter(first) || first == UInt8(ascii: "/") else { return false }
    return text.utf8.allSatisfy { byte in
      isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_-./".utf8.contains(byte)
    } || isBytePairs(text)
  }

  private static func isBytePairs(_ text: String) -> Bool {
    text.hasPrefix("bpe:") && text.count > 4 && text.dropFirst(4).allSatisfy { $0.isASCII && $0.isNumber }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default: result += escapedIfNeeded(scalar)
      }
    }
    return result + "\""
  }

  /// Control characters, line separators and the byte-order mark have no place in a YAML file as they are.
  private static func escapedIfNeeded(_ scalar: Unicode.Scalar) -> String {
    let value = scalar.value
    let isUnsafe =
      value < 0x20 || (0x7F..<0xA0).contains(value) || value == 0x2028 || value == 0x2029 || value == 0xFEFF
      || (0xFFFE...0xFFFF).contains(value)
    guard isUnsafe else { return String(Character(scalar)) }
    let digits = String(value, radix: 16)
    return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}

/// How derived values are written to a file.
public enum DerivedValueStyle: Sendable {
  /// As values: the file means the same for ever. For a run's folder.
  case written
  /// As comments: they follow the other keys again. For a file to edit.
  case commented
}

extension ResolvedConfiguration {
  /// The configuration as YAML, with the origin of every value as a comment.
  ///
  /// Reading it back gives the same values. `extends` and `preset` are comments: what they brought is written.
  ///
  /// - Parameter open: Keys that are comments, too, as nobody decided on them.
  public func yaml(derived style: DerivedValueStyle = .written, open: Set<String> = []) -> String {
    var lines: [String] = []
    var section = ""
    for entry in entries {
      if entry.key.section != section {
        section = entry.key.section
        lines.append("\n\(section):")
      }
      lines.append(line(entry, derived: style, isOpen: open.contains(entry.key.name)))
    }
    // A section whose every key became a comment would be null, which reads as an empty section.
    return lines.joined(separator: "\n") + "\n"
  }

  private func line(_ entry: Entry, derived style: DerivedValueStyle, isOpen: Bool) -> String {
    let isBase = entry.key.name == "extends" || entry.key.name == "preset"
    let isDerived = if case .derived = entry.origin { true } else { false }
    let indent = entry.key.section.isEmpty ? "" : "  "
    let hash = isBase || isOpen || (isDerived && style == .commented) ? "# " : ""
    let text = "\(indent)\(hash)\(entry.key.shortName): \(entry.value.written)"
    let fill = String(repeating: " ", count: max(2, 40 - text.count))
    return text + fill + "# " + String(entry.origin.description.map { $0.isNewline ? " " : $0 })
  }
}
