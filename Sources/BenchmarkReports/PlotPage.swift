/// What the drawings here have in common: a page with a heading, a frame with axes, and sentences below.
struct PlotPage {
  static let width = 1000.0
  /// Of the small labels, in the widest of the fonts.
  static let characterWidth = 7.2

  /// A line across the frame with the text at its end, if it has one.
  struct Tick {
    let place: Double
    let label: String?
  }

  let title: String
  let frame: LabelPlacement.Box
  /// Data of the drawing for programs; empty for none.
  var metadata = ""
  var captions: [String] = []

  /// The text of an SVG file: the parts in order, the last in front.
  func svg(_ parts: [String]) -> String {
    let top = frame.bottom + 70
    let lines = captions.flatMap { SVGText.wrapped($0, length: 150) }
    let height = top + 15 * Double(lines.count) + 8
    let size = "\(SVGText.number(Self.width)) \(SVGText.number(height))"
    let captionLines = lines.enumerated().map { index, line in
      SVGText.text(line, x: 16, y: top + 15 * Double(index), kind: "small")
    }
    let head = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(size)\" role=\"img\">",
      "<title>\(SVGText.escaped(title))</title>",
      metadata.isEmpty ? "" : "<metadata>\(SVGText.escaped(metadata))</metadata>", PlotStyle.text,
      "<rect class=\"page\" width=\"100%\" height=\"100%\"/>",
      SVGText.text(title, x: 16, y: 28, kind: "title"),
    ].filter { !$0.isEmpty }
    return (head + parts + captionLines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  /// The lines and texts of both axes.
  func axes(columns: [Tick], rows: [Tick], across: String, up: String) -> [String] {
    let middle = (frame.top + frame.bottom) / 2
    let vertical = columns.flatMap { tick in
      [SVGText.line((tick.place, frame.top), (tick.place, frame.bottom), kind: "grid")]
        + label(tick, x: tick.place, y: frame.bottom + 18, anchor: "middle")
    }
    let horizontal = rows.flatMap { tick in
      [SVGText.line((frame.left, tick.place), (frame.right, tick.place), kind: "grid")]
        + label(tick, x: frame.left - 8, y: tick.place + 4, anchor: "end")
    }
    return vertical + horizontal + [
      SVGText.text(
        across, x: (frame.left + frame.right) / 2, y: frame.bottom + 40, kind: "axis", anchor: "middle"),
      SVGText.text(
        up, x: 20, y: middle, kind: "axis", anchor: "middle",
        attributes: " transform=\"rotate(-90 20 \(SVGText.number(middle)))\""),
    ]
  }

  private func label(_ tick: Tick, x: Double, y: Double, anchor: String) -> [String] {
    tick.label.map { [SVGText.text($0, x: x, y: y, kind: "small", anchor: anchor)] } ?? []
  }
}
