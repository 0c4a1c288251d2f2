import Glibc
import Terminal

extension CurvePlot {
  static let width = 1000.0
  static let frame = LabelPlacement.Box(left: 90, top: 50, right: 740, bottom: 420)

  /// The drawing as the text of an SVG file.
  public func svg() -> String {
    let captionTop = Self.frame.bottom + 66
    let height = captionTop + 15 * Double(captions.count) + 6
    let captionLines = captions.enumerated().map { index, line in
      SVGText.text(line, x: 16, y: captionTop + 15 * Double(index), kind: "small")
    }
    let parts =
      [
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(SVGText.number(Self.width))"
          + " \(SVGText.number(height))\" role=\"img\">",
        "<title>\(SVGText.escaped(title))</title>", PlotStyle.text,
        "<rect class=\"page\" width=\"100%\" height=\"100%\"/>",
        SVGText.text(title, x: 16, y: 28, kind: "title"),
      ] + grid + curves.indices.flatMap(drawing) + legend + captionLines + ["</svg>"]
    return parts.joined(separator: "\n") + "\n"
  }

  // MARK: Axes

  private var places: [Double] { Set(curves.flatMap { $0.points.map(\.x) }).sorted() }

  private func x(_ value: Double) -> Double {
    let (low, high) = (places.first ?? 1, places.last ?? 1)
    let room = 30.0
    guard high > low else { return (Self.frame.left + Self.frame.right) / 2 }
    let length = Self.frame.right - Self.frame.left - 2 * room
    return Self.frame.left + room + length * log(value / low) / log(high / low)
  }

  /// The distance of the horizontal lines and the value at the top.
  var scale: (step: Double, top: Double) {
    let most = curves.flatMap { $0.points.map { max($0.fast, $0.slow) } }.max() ?? 1
    let power = pow(10, floor(log10(most / 4)))
    let step = ([1, 2, 2.5, 5, 10].first { 4 * $0 * power >= most } ?? 10) * power
    return (step, step * ceil(most / step + 0.05))
  }

  private func y(_ value: Double) -> Double {
    Self.frame.bottom - (Self.frame.bottom - Self.frame.top) * value / scale.top
  }

  /// A value of the parameter: `4,096`, `0.25`.
  private static func text(_ value: Double) -> String {
    Int(exactly: value).map { Numbers.grouped($0) } ?? Numbers.significant(value)
  }

  private var grid: [String] {
    let frame = Self.frame
    let columns = places.flatMap { value in
      [
        SVGText.line((x(value), frame.top), (x(value), frame.bottom), kind: "grid"),
        SVGText.text(
          Self.text(value), x: x(value), y: frame.bottom + 18, kind: "small", anchor: "middle"),
      ]
    }
    let rows = stride(from: 0, through: scale.top * 1.0001, by: scale.step).flatMap { value in
      [
        SVGText.line((frame.left, y(value)), (frame.right, y(value)), kind: "grid"),
        SVGText.text(
          Numbers.significant(value), x: frame.left - 8, y: y(value) + 4, kind: "small", anchor: "end"),
      ]
    }
    let middle = (frame.top + frame.bottom) / 2
    return columns + rows + [
      SVGText.text(
        parameter, x: (frame.left + frame.right) / 2, y: frame.bottom + 40, kind: "axis", anchor: "middle"),
      SVGText.text(
        measure.title, x: 20, y: middle, kind: "axis", anchor: "middle",
        attributes: " transform=\"rotate(-90 20 \(SVGText.number(middle)))\""),
    ]
  }

  // MARK: Curves

  private func drawing(_ index: Int) -> [String] {
    let curve = curves[index]
    let color = PlotStyle.colorClass(index)
    let line = SVGText.polyline(curve.points.map { (x($0.x), y($0.value)) }, kind: "curve \(color)")
    let marks = curve.points.map { point in
      let text =
        "\(curve.name), \(parameter) \(Self.text(point.x)): "
        + "\(Numbers.significant(point.value, digits: 5)) \(measure.title)"
      return SVGText.line((x(point.x), y(point.slow)), (x(point.x), y(point.fast)), kind: "whisker \(color)")
        + "<g class=\"mark \(color)\"><title>\(SVGText.escaped(text))</title>"
        + SVGText.mark(index, x: x(point.x), y: y(point.value)) + "</g>"
    }
    return [line] + marks
  }

  private var legend: [String] {
    let x = Self.frame.right + 24
    return curves.enumerated().flatMap { index, curve in
      let y = Self.frame.top + 6 + 20 * Double(index)
      let color = PlotStyle.colorClass(index)
      return [
        SVGText.line((x, y - 4), (x + 22, y - 4), kind: "curve \(color)"),
        "<g class=\"mark \(color)\">" + SVGText.mark(index, x: x + 11, y: y - 4) + "</g>",
        SVGText.text(curve.name, x: x + 30, y: y, kind: "axis"),
      ]
    }
  }

  private var captions: [String] {
    let environments = reports.map(\.environment)
    let devices = environments.flatMap { $0.devices.map { "\($0.name): \($0.product), driver \($0.driver)" } }
    let red = reports.map(\.redRows.count).reduce(0, +)
    let dates = environments.map(\.date).sorted()
    let versions = environments.map {
      "nibble \($0.version)" + ($0.revision.map { ", revision \($0)" } ?? "")
    }
    var sentences = devices.unique() + versions.unique()
    if let first = dates.first, let last = dates.last {
      sentences.append(first == last ? first : "\(first) to \(last)")
    }
    if red > 0 { sentences.append("left out: \(red) rows that failed") }
    sentences.append("bars: quartiles")
    return sentences.flatMap { SVGText.wrapped($0, length: 150) }
  }
}
