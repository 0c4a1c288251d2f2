/// The columns a text takes on a terminal: colour sequences and combining marks take none, wide characters two.
public func displayWidth(_ text: String) -> Int {
  var width = 0
  var scanner = EscapeScanner()
  for scalar in text.unicodeScalars where !scanner.consumes(scalar) {
    width += columns(of: scalar)
  }
  return width
}

/// The text cut to at most `columns`, with a reset where a colour was cut off.
///
/// - Parameters:
///   - text: May hold colour sequences; they are kept whole.
///   - columns: At least 0.
///   - ellipsis: Put at the end of a cut text, as far as it fits.
public func fitted(_ text: String, columns limit: Int, ellipsis: String = "") -> String {
  guard displayWidth(text) > limit else { return text }
  let room = max(0, limit - displayWidth(ellipsis))
  var result = String.UnicodeScalarView()
  var width = 0
  var scanner = EscapeScanner()
  var colored = false
  for scalar in text.unicodeScalars {
    if scanner.consumes(scalar) {
      colored = true
      result.append(scalar)
      continue
    }
    let next = columns(of: scalar)
    if width + next > room { break }
    width += next
    result.append(scalar)
  }
  let tail = displayWidth(ellipsis) <= limit ? ellipsis : ""
  return String(result) + (colored ? Style.resetSequence : "") + tail
}

/// The text filled with spaces to a number of columns.
func padded(_ text: String, to columns: Int, right: Bool) -> String {
  let fill = String(repeating: " ", count: max(0, columns - displayWidth(text)))
  return right ? fill + text : text + fill
}

/// The text with control characters made visible, so that a file's content cannot steer the terminal.
///
/// - Parameter keepingLines: Whether newlines stay; else they become `\n`.
public func printable(_ text: String, keepingLines: Bool = false) -> String {
  func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "\n" { return !keepingLines }
    return scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }
  guard text.unicodeScalars.contains(where: needsEscape) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    guard needsEscape(scalar) else {
      result.unicodeScalars.append(scalar)
      continue
    }
    switch scalar {
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    case "\r": result += "\\r"
    default: result += "\\u{\(String(scalar.value, radix: 16))}"
    }
  }
  return result
}

/// Recognizes colour sequences (`ESC [ ... letter`) scalar by scalar.
private struct EscapeScanner {
  private enum State {
    case text
    case escape
    case sequence
  }
  private var state = State.text

  mutating func consumes(_ scalar: Unicode.Scalar) -> Bool {
    switch state {
    case .text:
      guard scalar == "\u{1B}" else { return false }
      state = .escape
    case .escape:
      state = scalar == "[" ? .sequence : .text
    case .sequence:
      if (0x40...0x7E).contains(scalar.value) { state = .text }
    }
    return true
  }
}

/// Columns of one scalar; the wide ranges are the blocks with East Asian Width W or F that texts really use.
private func columns(of scalar: Unicode.Scalar) -> Int {
  let value = scalar.value
  if value < 0x20 || (0x7F..<0xA0).contains(value) { return 0 }
  if value < 0x300 { return 1 }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .enclosingMark, .format: return 0
  default: break
  }
  switch value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
    0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
    return 2
  default: return 1
  }
}
