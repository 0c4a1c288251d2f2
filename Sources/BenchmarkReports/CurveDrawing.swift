import Glibc
import Terminal

extension CurvePlot {
  static let frame = LabelPlacement.Box(left: 90, top: 50, right: 740, bottom: 420)

  /// The drawing as the text of an SVG file.
  public func svg() -> String {
    let page = PlotPage(title: title, frame: Self.frame, captions: captions)
    let columns = places.map { PlotPage.Tick(place: x($0), label: Self.text($0)) }
    let axes = page.axes(columns: columns, rows: vertical.ticks, across: parameter, up: measure.title)
    return page.svg(axes + curves.indices.flatMap(drawing) + legend)
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

  var vertical: LinearAxis {
    let most = curves.flatMap { $0.points.map { max($0.fast, $0.slow) } }.max() ?? 1
    return LinearAxis(covering: 0...most, from: Self.frame.bottom, to: Self.frame.top)
  }

  private func y(_ value: Double) -> Double { vertical.place(value) }

  /// A value of the parameter: `4,096`, `0.25`.
  private static func text(_ value: Double) -> String {
    Int(exactly: value).map { Numbers.grouped($0) } ?? Numbers.significant(value)
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
    return sentences
  }
}
