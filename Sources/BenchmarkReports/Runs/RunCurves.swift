import Glibc
import Terminal

/// Loss or gradient norm of one or several runs over their steps, as an SVG drawing.
struct RunCurves {
  enum Measure: String, CaseIterable {
    case loss
    case gradientNorm = "gradient_norm"

    var title: String { self == .loss ? "Loss" : "Gradient norm" }
    var axis: String { self == .loss ? "nats per token" : "norm before clipping" }
    /// What marks it among departures.
    var kind: Departure.Kind { self == .loss ? .loss : .gradientNorm }
  }

  private struct Point {
    let step: Double
    let value: Double
  }

  private static let frame = LabelPlacement.Box(left: 90, top: 50, right: 740, bottom: 380)
  /// Points with a value on hover.
  private static let hoverCount = 120
  /// Points of a line: more are not told apart.
  private static let lineCount = 1500

  let runs: [RunHistory]
  let measure: Measure
  /// By run.
  let departures: [[Departure]]
  let partings: [RunParting]

  /// Nil where no run has a finite value.
  init?(_ runs: [RunHistory], _ measure: Measure, departures: [[Departure]], partings: [RunParting]) {
    (self.runs, self.measure) = (runs, measure)
    (self.departures, self.partings) = (departures, partings)
    if values.isEmpty { return nil }
  }

  func svg() -> String {
    let page = PlotPage(title: measure.title, frame: Self.frame, captions: captions)
    let (across, up) = (steps, scale)
    let axes = page.axes(
      columns: across.ticks, rows: up.ticks, across: "step", up: measure.axis)
    return page.svg(axes + events(across) + runs.indices.flatMap { drawing($0, across, up) } + legend)
  }

  // MARK: Points

  private func points(_ run: RunHistory) -> [Point] {
    run.updates.compactMap { update in
      let value = measure == .loss ? update.loss : update.gradientNorm
      return value.map { Point(step: Double(update.step), value: $0) }
    }
  }

  private func validation(_ run: RunHistory) -> [Point] {
    guard measure == .loss else { return [] }
    return run.updates.compactMap { update in
      update.validationLoss.map { Point(step: Double(update.step), value: $0) }
    }
  }

  private var values: [Double] {
    runs.flatMap { (points($0) + validation($0)).map(\.value) }.filter(\.isFinite)
  }

  /// Over four updates before and behind.
  private func smoothed(_ points: [Point]) -> [Point] {
    points.indices.map { index in
      let near = points[max(0, index - 4)...min(points.count - 1, index + 4)]
      return Point(step: points[index].step, value: near.map(\.value).reduce(0, +) / Double(near.count))
    }
  }

  private func thinned(_ points: [Point], to count: Int) -> [Point] {
    let stride = max(1, (points.count + count - 1) / count)
    return points.indices.filter { $0 % stride == 0 || $0 == points.count - 1 }.map { points[$0] }
  }

  // MARK: Axes

  /// Steps from 0 to the last, with lines at round ones.
  private struct StepAxis {
    let last: Double

    func place(_ step: Double) -> Double { frame.left + (frame.right - frame.left) * step / last }

    var ticks: [PlotPage.Tick] {
      let step = max(1, LinearAxis(covering: 0...last, from: 0, to: 1).step.rounded(.up))
      return stride(from: 0, through: last, by: step).map {
        PlotPage.Tick(place: place($0), label: Numbers.grouped(Int($0)))
      }
    }
  }

  private var steps: StepAxis {
    StepAxis(last: max(1, runs.flatMap(\.updates).map { Double($0.step) }.max() ?? 1))
  }

  /// Logarithmic where the values span more than a decade.
  private struct Scale {
    let place: (Double) -> Double
    let ticks: [PlotPage.Tick]
  }

  private var scale: Scale {
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let frame = Self.frame
    guard low > 0, high > 10 * low else {
      let axis = LinearAxis(covering: low...high, from: frame.bottom, to: frame.top)
      return Scale(place: axis.place, ticks: axis.ticks)
    }
    let axis = LogarithmicAxis(covering: low...high, from: frame.bottom, to: frame.top)
    let ticks = axis.ticks.map { tick in
      PlotPage.Tick(
        place: axis.place(tick.value),
        label: tick.isLabelled ? Numbers.significant(tick.value, digits: 2) : nil)
    }
    return Scale(place: axis.place, ticks: ticks)
  }

  // MARK: Drawing

  private func drawing(_ index: Int, _ across: StepAxis, _ up: Scale) -> [String] {
    let (run, color) = (runs[index], PlotStyle.colorClass(index))
    func places(_ points: [Point]) -> [(x: Double, y: Double)] {
      points.map { (across.place($0.step), up.place($0.value)) }
    }
    func hover(_ points: [Point], _ what: String) -> [String] {
      zip(points, places(points)).map { point, place in
        let text =
          "\(run.name), step \(Numbers.grouped(Int(point.step))): \(what) "
          + Numbers.significant(point.value, digits: 5)
        return "<g class=\"mark \(color)\"><title>\(SVGText.escaped(text))</title>"
          + SVGText.mark(index, x: place.x, y: place.y) + "</g>"
      }
    }
    let raw = points(run)
    let lines = [
      SVGText.polyline(places(thinned(raw, to: Self.lineCount)), kind: "raw \(color)"),
      SVGText.polyline(places(thinned(smoothed(raw), to: Self.lineCount)), kind: "curve \(color)"),
    ]
    let name = measure == .loss ? "loss" : "gradient norm"
    let targets = hover(thinned(raw, to: Self.hoverCount), name)
    return lines + ["<g class=\"hover\">"] + targets + ["</g>"]
      + hover(validation(run), "validation loss")
  }

  /// Lines where something departed or runs parted.
  private func events(_ across: StepAxis) -> [String] {
    let found = runs.indices.flatMap { index in
      departures[index].filter { $0.kind == measure.kind || $0.operand != nil || $0.kind == .nonFinite }
        .map { (run: index, step: $0.step, text: "\(runs[index].name), \($0.text)") }
    }
    let parted = partings.enumerated().compactMap { index, parting in
      parting.step.map { (run: index + 1, step: $0, text: parting.text) }
    }
    return (found + (measure == .loss ? parted : [])).map { event in
      let x = across.place(Double(event.step))
      let kind = "event \(PlotStyle.colorClass(event.run))"
      return "<g><title>\(SVGText.escaped(event.text))</title>"
        + SVGText.line((x, Self.frame.top), (x, Self.frame.bottom), kind: kind) + "</g>"
    }
  }

  private var legend: [String] {
    let x = Self.frame.right + 24
    return runs.enumerated().flatMap { index, run in
      let y = Self.frame.top + 6 + 20 * Double(index)
      let color = PlotStyle.colorClass(index)
      return [
        SVGText.line((x, y - 4), (x + 22, y - 4), kind: "curve \(color)"),
        SVGText.text(Self.shortened(run.name), x: x + 30, y: y, kind: "axis"),
      ]
    }
  }

  /// The end of a name that is too long for its place.
  private static func shortened(_ name: String) -> String { name.count > 28 ? "..." + name.suffix(26) : name }

  private var captions: [String] {
    let all = runs.flatMap { run in
      run.updates.filter { (measure == .loss ? $0.loss : $0.gradientNorm) == nil }
    }
    return [
      "thick: mean over nine updates; thin: every update"
        + (measure == .loss ? "; marks: the validation loss" : "")
        + "; dashed: where something departed"
        + (measure == .loss && !partings.isEmpty ? ", or the losses part" : ""),
      all.isEmpty ? "" : "left out: \(all.count) values that were not finite",
    ].filter { !$0.isEmpty }
  }
}
