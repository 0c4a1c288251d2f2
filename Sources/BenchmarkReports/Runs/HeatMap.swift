import Terminal

/// One quantity of rounding over layers and time, as an SVG drawing.
struct HeatMap {
  private static let top = 64.0
  private static let right = 850.0

  private let title: String
  private let history: RoundingHistory
  private let quantity: RoundingQuantity
  private let departures: [Departure]
  private let colors: ColorScale
  private let labels: [String]
  /// Of a row.
  private let height: Double

  /// Nil where the quantity has no value at all.
  init?(_ run: String, _ history: RoundingHistory, _ quantity: RoundingQuantity, _ departures: [Departure]) {
    let values = history.names.flatMap { name in
      history.columns.indices.compactMap { column -> Double? in
        if case .value(let value) = history.cell(name, column, quantity) { value } else { nil }
      }
    }
    guard !values.isEmpty else { return nil }
    title = "\(run): \(quantity.title)"
    (self.history, self.quantity) = (history, quantity)
    self.departures = departures.filter {
      $0.operand != nil && ($0.quantity == quantity || $0.kind == .nonFinite)
    }
    colors = quantity.colors(values)
    labels = Self.short(history.names.map(\.layer))
    height = max(4, min(14, 900 / Double(history.names.count)))
  }

  /// Layers without the words that all of them begin with.
  private static func short(_ layers: [String]) -> [String] {
    let words = layers.map { $0.split(separator: ".") }
    let least = (words.map(\.count).min() ?? 1) - 1
    let common = (0..<max(0, least)).prefix { index in Set(words.map { $0[index] }).count == 1 }.count
    return words.map { $0.dropFirst(common).joined(separator: ".") }
  }

  private var left: Double {
    let longest = labels.map(\.count).max() ?? 0
    return 128 + min(230, 6.2 * Double(longest))
  }

  private var frame: LabelPlacement.Box {
    LabelPlacement.Box(
      left: left, top: Self.top, right: Self.right,
      bottom: Self.top + gaps + height * Double(history.names.count))
  }

  /// Between operands.
  private static let gap = 6.0

  private var gaps: Double { Self.gap * Double(max(0, history.names.map(\.operand).unique().count - 1)) }

  func svg() -> String {
    let page = PlotPage(title: title, frame: frame, captions: captions)
    return page.svg(cells + rowLabels + columnLabels + outlines + legend)
  }

  // MARK: Places

  private var width: Double { (Self.right - left) / Double(history.columns.count) }

  private func x(_ column: Int) -> Double { left + width * Double(column) }

  /// Upper ends of the rows: operands stand apart.
  private var rows: [Double] {
    var y = Self.top
    return history.names.indices.map { index in
      if index > 0, history.names[index].operand != history.names[index - 1].operand { y += Self.gap }
      defer { y += height }
      return y
    }
  }

  private func rectangle(_ column: Int, _ y: Double, _ attributes: String) -> String {
    "<rect x=\"\(SVGText.number(x(column)))\" y=\"\(SVGText.number(y))\" width=\"\(Numbers.fixed(width + 0.05, decimals: 2))\""
      + " height=\"\(Numbers.fixed(height + 0.05, decimals: 2))\" \(attributes)"
  }

  // MARK: Drawing

  private var cells: [String] {
    zip(history.names, rows).enumerated().flatMap { index, row in
      history.columns.indices.compactMap { column -> String? in
        let cell = history.cell(row.0, column, quantity)
        let attributes: String
        let value: String
        switch cell {
        case .missing: return nil
        case .value(let number):
          (attributes, value) = ("fill=\"\(colors.color(number))\"", quantity.text(number))
        case .exact: (attributes, value) = ("fill=\"\(colors.color(at: 1))\"", "no error")
        case .zero: (attributes, value) = ("class=\"zero\"", "all numbers are zero")
        case .nonFinite: (attributes, value) = ("class=\"bad\"", "not finite")
        }
        let text = "\(row.0.operand) \(labels[index]), \(history.columns[column].text): \(value)"
        return rectangle(column, row.1, attributes) + "><title>\(SVGText.escaped(text))</title></rect>"
      }
    }
  }

  /// Operands once each, layers where a line has room.
  private var rowLabels: [String] {
    let rows = rows
    var texts: [String] = []
    var last = -Double.infinity
    for (index, name) in history.names.enumerated() {
      let isFirst = index == 0 || history.names[index - 1].operand != name.operand
      if isFirst { texts.append(SVGText.text(name.operand, x: 12, y: rows[index] + 11, kind: "small")) }
      guard isFirst || rows[index] - last >= 11 else { continue }
      last = rows[index]
      let y = rows[index] + height / 2 + 3.5
      texts.append(
        "<text class=\"tiny\" x=\"\(SVGText.number(left - 6))\" y=\"\(SVGText.number(max(y, rows[index] + 7)))\""
          + " text-anchor=\"end\">\(SVGText.escaped(labels[index]))</text>")
    }
    return texts
  }

  private var columnLabels: [String] {
    let count = history.columns.count
    let stride = max(1, (count + 8) / 9)
    let texts = history.columns.indices.filter { $0 % stride == 0 }.map { column in
      SVGText.text(
        Numbers.grouped(history.columns[column].first), x: x(column) + width / 2, y: frame.bottom + 16,
        kind: "small", anchor: "middle")
    }
    let middle = (left + Self.right) / 2
    return texts + [SVGText.text("step", x: middle, y: frame.bottom + 36, kind: "axis", anchor: "middle")]
  }

  private var outlines: [String] {
    departures.compactMap { departure in
      guard let operand = departure.operand, let row = history.names.firstIndex(of: operand),
        let column = history.column(of: departure.step)
      else { return nil }
      return rectangle(column, rows[row], "class=\"found\"")
        + "><title>\(SVGText.escaped("first departure: \(departure.text)"))</title></rect>"
    }
  }

  /// The colours with their values, from the low end at the bottom.
  private var legend: [String] {
    let (left, width, pieces) = (Self.right + 28, 16.0, 40)
    let length = min(frame.bottom - frame.top, 240)
    let piece = length / Double(pieces)
    let bar = (0..<pieces).map { index in
      let y = Self.top + length - piece * Double(index + 1)
      let color = colors.color(at: (Double(index) + 0.5) / Double(pieces))
      return "<rect x=\"\(SVGText.number(left))\" y=\"\(SVGText.number(y))\" width=\"\(width)\""
        + " height=\"\(Numbers.fixed(piece + 0.3, decimals: 2))\" fill=\"\(color)\"/>"
    }
    let texts = colors.ticks.map { tick in
      SVGText.text(
        quantity.text(tick.value), x: left + width + 6, y: Self.top + length * (1 - tick.place) + 4,
        kind: "tiny")
    }
    return bar + texts
  }

  private var captions: [String] {
    let isShared = history.columns.contains { $0.first != $0.last }
    return [
      "layers with the same input one after the other share its rounding, which stands at the first of them; gradients "
        + "(cotangents) and both backward operands are rounded along their own products' sums",
      cells.contains { $0.contains("class=\"zero\"") } ? "grey: all numbers are zero" : "",
      quantity == .signalToNoise ? "-10 dB and below are drawn alike" : "",
      isShared ? "columns are several measurements; the worst of them is shown" : "",
      departures.isEmpty ? "" : "red outline: " + departures.map(\.text).joined(separator: "; "),
    ].filter { !$0.isEmpty }
  }
}
