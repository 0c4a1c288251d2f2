import Files
import Terminal

/// A picture of a sweep: the loss's gap to the baseline against what a token costs, with the points joined that nothing beats.
///
/// Without a baseline it is the loss itself. One self-contained SVG without scripts.
public struct ParetoPlot {
  struct Point {
    /// Of the group in the report.
    let index: Int
    let group: SweepGroup
    let cost: Double
    /// Per cent, or nats without a baseline.
    let value: Double
    let error: Double?
  }

  static let frame = LabelPlacement.Box(left: 90, top: 50, right: 940, bottom: 480)

  let report: SweepReport
  let points: [Point]
  /// Points that no other beats in both, by rising cost.
  let front: [Point]

  /// Nil when no group has both a cost and a result.
  public init?(_ report: SweepReport) {
    self.report = report
    points = report.groups.enumerated().compactMap { index, group in
      guard let cost = group.cost, cost.isFinite, group.failure == nil else { return nil }
      let value: MeanWithError?
      let scale: Double
      (value, scale) = report.baseline.isEmpty ? (group.loss, 1) : (group.gap?.share, 100)
      guard let value, value.mean.isFinite else { return nil }
      return Point(
        index: index, group: group, cost: cost, value: value.mean * scale,
        error: value.error.map { $0 * scale })
    }
    guard !points.isEmpty else { return nil }
    var best = Double.infinity
    front = points.sorted { ($0.cost, $0.value) < ($1.cost, $1.value) }.filter { point in
      guard point.value < best else { return false }
      best = point.value
      return true
    }
  }

  private var isGap: Bool { !report.baseline.isEmpty }
  private var unit: String { isGap ? "% of the baseline's loss" : "nats per token" }

  /// The drawing as the text of an SVG file.
  ///
  /// - Parameters:
  ///   - title: The heading.
  ///   - captions: Sentences below, after the report's own.
  public func svg(title: String, captions: [String] = []) -> String {
    let page = PlotPage(
      title: title, frame: Self.frame, metadata: report.json.serialized(),
      captions: report.captions(glyphs: .unicode) + [frontCaption] + captions)
    let (across, up) = axes
    let grid = page.axes(
      columns: across.ticks, rows: up.ticks, across: report.costUnit.title,
      up: isGap ? "gap of the loss, \(unit)" : "validation loss, \(unit)")
    let places = points.map { (x: across.place($0.cost), y: up.place($0.value)) }
    let line = front.map { (x: across.place($0.cost), y: up.place($0.value)) }
    let joined = line.count > 1 ? [SVGText.polyline(line, kind: "curve c0")] : []
    return page.svg(grid + joined + whiskers(across, up) + marks(places) + labels(places, line))
  }

  private var axes: (across: LinearAxis, up: LinearAxis) {
    func range(_ values: [Double]) -> ClosedRange<Double> { (values.min() ?? 0)...(values.max() ?? 1) }
    let frame = Self.frame
    let up = points.flatMap { [$0.value - ($0.error ?? 0), $0.value + ($0.error ?? 0)] }
    return (
      LinearAxis(covering: range(points.map(\.cost)), from: frame.left, to: frame.right),
      LinearAxis(covering: range(up), from: frame.bottom, to: frame.top)
    )
  }

  private func isOnFront(_ point: Point) -> Bool { front.contains { $0.index == point.index } }

  private func color(_ point: Point) -> String { PlotStyle.colorClass(isOnFront(point) ? 0 : 5) }

  private func whiskers(_ across: LinearAxis, _ up: LinearAxis) -> [String] {
    points.compactMap { point in
      guard let error = point.error else { return nil }
      let x = across.place(point.cost)
      return SVGText.line(
        (x, up.place(point.value - error)), (x, up.place(point.value + error)),
        kind: "whisker \(color(point))")
    }
  }

  private func marks(_ places: [(x: Double, y: Double)]) -> [String] {
    zip(points, places).map { point, place in
      let cost = "\(Numbers.significant(point.cost, digits: 4)) \(report.costUnit.title)"
      let text = "\(point.group.title): \(Numbers.significant(point.value, digits: 4)) \(unit), \(cost)"
      return "<g class=\"mark \(color(point))\"><title>\(SVGText.escaped(text))</title>"
        + SVGText.mark(point.group.isBaseline ? 3 : 0, x: place.x, y: place.y) + "</g>"
    }
  }

  private var frontCaption: String {
    "front, from the cheapest: "
      + front.map { "\(mark($0))\($0.group.title)" }.joined(separator: ", ")
  }

  /// The rank, which stands beside a point whose name has no room.
  private func mark(_ point: Point) -> String { point.group.rank.map { "#\($0) " } ?? "" }

  /// Names of the front first, of the others where there is room.
  private func labels(
    _ places: [(x: Double, y: Double)], _ line: [(x: Double, y: Double)],
  ) -> [String] {
    var placement = LabelPlacement(frame: Self.frame, points: places, lines: [line])
    let order =
      points.indices.filter { isOnFront(points[$0]) } + points.indices.filter { !isOnFront(points[$0]) }
    return order.compactMap { index in
      let names = [points[index].group.title] + (isOnFront(points[index]) ? [mark(points[index])] : [])
      for name in names {
        let width = PlotPage.characterWidth * Double(name.count)
        guard let spot = placement.place(width: width, beside: places[index]) else { continue }
        return SVGText.text(name, x: spot.x, y: spot.y, kind: "small")
      }
      return nil
    }
  }
}
