import Terminal

/// Pieces of an SVG drawing.
enum SVGText {
  /// Text between tags or in an attribute.
  static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      // XML has no way to write control characters.
      case _ where scalar.value < 0x20 && scalar != "\n" || scalar.value == 0x7F: result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// A coordinate with one decimal.
  static func number(_ value: Double) -> String { Numbers.fixed(value, decimals: 1) }

  static func text(
    _ text: String, x: Double, y: Double, kind: String, anchor: String = "start", attributes: String = "",
  ) -> String {
    "<text class=\"\(kind)\" x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\"\(attributes)>"
      + escaped(text) + "</text>"
  }

  static func line(_ from: (x: Double, y: Double), _ to: (x: Double, y: Double), kind: String) -> String {
    "<line class=\"\(kind)\" x1=\"\(number(from.x))\" y1=\"\(number(from.y))\""
      + " x2=\"\(number(to.x))\" y2=\"\(number(to.y))\"/>"
  }

  static func polyline(_ points: [(x: Double, y: Double)], kind: String) -> String {
    let list = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
    return "<polyline class=\"\(kind)\" points=\"\(list)\"/>"
  }

  /// A mark of about 10 units around a place; the shapes repeat after six.
  static func mark(_ index: Int, x: Double, y: Double) -> String {
    func polygon(_ corners: [(Double, Double)]) -> String {
      let list = corners.map { "\(number(x + $0.0)),\(number(y + $0.1))" }.joined(separator: " ")
      return "<polygon points=\"\(list)\"/>"
    }
    return switch index % 6 {
    case 0: "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"4.5\"/>"
    case 1: polygon([(-4, -4), (4, -4), (4, 4), (-4, 4)])
    case 2: polygon([(0, -5.5), (5, 4), (-5, 4)])
    case 3: polygon([(0, -6), (6, 0), (0, 6), (-6, 0)])
    case 4: polygon([(0, 5.5), (5, -4), (-5, -4)])
    default: polygon([(-2, -5), (2, -5), (5, -2), (5, 2), (2, 5), (-2, 5), (-5, 2), (-5, -2)])
    }
  }

  /// The text in lines of at most `length` characters, broken between words where there are any.
  static func wrapped(_ text: String, length: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      var rest = word
      if let last = lines.last, last.count + 1 + rest.count <= length {
        lines[lines.count - 1] += " " + rest
        continue
      }
      while rest.count > length {
        lines.append(String(rest.prefix(length)))
        rest = rest.dropFirst(length)
      }
      lines.append(String(rest))
    }
    return lines
  }
}
