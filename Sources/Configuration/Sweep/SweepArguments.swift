import Terminal

/// Reads `key=value,value ...` of a sweep's line.
///
/// Commas outside brackets and outside double quotes separate values; where there is a `;`, only that does. In a key that is a
/// list itself (`mixer.pattern`) the commas are the list's own unless every value is in brackets: `[a,b],[c]` are two values, as
/// are `a,b;c`. Quotes round a whole value are taken off.
public enum SweepArguments {
  /// The keys with one value and those with several; of a key given twice the last counts.
  ///
  /// - Throws: `SweepError` for empty values and values given twice.
  public static func read(_ assignments: [Assignment]) throws(SweepError) -> (
    fixed: [Assignment], axes: [SweepAxis]
  ) {
    var fixed: [Assignment] = []
    var axes: [SweepAxis] = []
    for assignment in assignments {
      let values = try values(of: assignment)
      fixed.removeAll { $0.key == assignment.key }
      axes.removeAll { $0.key == assignment.key }
      if values.count == 1 {
        fixed.append(values[0])
      } else {
        axes.append(SweepAxis(key: assignment.key, values: values))
      }
    }
    return (fixed, axes)
  }

  /// The keys and values of a baseline: `key=value,key=value`; a name of a point as `point=NAME`.
  ///
  /// - Throws: `SweepError` for a part without `=`.
  public static func baseline(_ text: String) throws(SweepError) -> [Assignment] {
    var found: [Assignment] = []
    for part in pieces(text, separator: ",") {
      guard let assignment = Assignment(argument: part) else {
        throw SweepError("--baseline has '\(part)'", hints: ["key=value, or point=NAME"])
      }
      found.append(
        Assignment(key: assignment.key, value: unquoted(assignment.value), flag: "--baseline"))
    }
    return found
  }

  private static func values(of assignment: Assignment) throws(SweepError) -> [Assignment] {
    let isList = ConfigurationSchema.key(named: assignment.key)?.kind == .list
    let texts = split(assignment.value, isList: isList)
    if texts.count > 1, texts.contains("") {
      throw SweepError(
        "\(assignment.key) has an empty value in '\(assignment.value)'",
        hints: ["a comma that belongs to a value needs double quotes: '\(assignment.key)=\"a,b\"'"])
    }
    if let twice = texts.indices.first(where: { texts[..<$0].contains(texts[$0]) }) {
      throw SweepError("\(assignment.key) has the value '\(texts[twice])' twice", hints: ["give it once"])
    }
    return texts.map { Assignment(key: assignment.key, value: $0, flag: assignment.flag) }
  }

  /// The values of a list as written; the whole text where there is only one.
  static func split(_ text: String, isList: Bool) -> [String] {
    let parts = pieces(text, separator: ";")
    if parts.count > 1 { return parts.map(unquoted) }
    let values = pieces(text, separator: ",")
    let areBracketed = values.allSatisfy { $0.hasPrefix("[") && $0.hasSuffix("]") }
    if values.count == 1 || isList && !areBracketed { return [unquoted(text)] }
    return values.map(unquoted)
  }

  /// The parts between separators outside brackets and quotes, without the spaces round them.
  private static func pieces(_ text: String, separator: Character) -> [String] {
    var pieces = [""]
    var depth = 0
    var isQuoted = false
    for character in text {
      if character == "\"" { isQuoted.toggle() }
      if !isQuoted, character == "[" { depth += 1 }
      if !isQuoted, character == "]" { depth -= 1 }
      if character == separator, depth <= 0, !isQuoted {
        pieces.append("")
      } else {
        pieces[pieces.count - 1].append(character)
      }
    }
    return pieces.count == 1 ? [text] : pieces.map(trimmed)
  }

  private static func trimmed(_ text: String) -> String {
    var slice = text[...]
    while slice.first == " " { slice.removeFirst() }
    while slice.last == " " { slice.removeLast() }
    return String(slice)
  }

  private static func unquoted(_ text: String) -> String {
    guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
    let inside = text.dropFirst().dropLast()
    return inside.contains("\"") ? text : String(inside)
  }
}

extension Assignment {
  /// The value as a configuration writes it, so that `1e-3` and `0.001` are the same.
  ///
  /// - Throws: `SweepError` for an unknown key and for a value that the key does not take.
  public func canonicalValue() throws(SweepError) -> String {
    guard let key = ConfigurationSchema.key(named: self.key) else {
      throw SweepError(
        "unknown key '\(self.key)' \(origin.place)",
        hints: nameHints(for: self.key, in: ConfigurationSchema.keys.map(\.name), noun: "keys"))
    }
    do throws(ScalarDecoding.Failure) {
      return try ScalarDecoding.value(value, notation: .argument, for: key, place: origin.place).written
    } catch {
      throw SweepError(error.message, hints: error.hints)
    }
  }
}
