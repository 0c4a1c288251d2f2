import Engine
import Files
import Terminal

extension RooflinePlot {
  /// The drawing as the text of an SVG file.
  public func svg() -> String {
    let page = PlotPage(
      title: title, frame: Self.frame, metadata: report.json().serialized(), captions: caption)
    return page.svg(grid(page) + roofs + marks + legend)
  }

  private var title: String { "Roofline: " + benchmarks.joined(separator: ", ") }

  private func grid(_ page: PlotPage) -> [String] {
    let frame = Self.frame
    let columns = horizontal.ticks.map { tick in
      PlotPage.Tick(
        place: horizontal.place(tick.value), label: tick.isLabelled ? axisText(tick.value) : nil)
    }
    let rows = vertical.ticks.map { tick in
      PlotPage.Tick(
        place: vertical.place(tick.value), label: tick.isLabelled ? axisText(tick.value / 1e9) : nil)
    }
    let axes = page.axes(
      columns: columns, rows: rows, across: "arithmetic intensity, FLOP/byte", up: "GFLOP/s")
    return axes + [
      "<rect class=\"frame\" x=\"\(SVGText.number(frame.left))\" y=\"\(SVGText.number(frame.top))\""
        + " width=\"\(SVGText.number(frame.right - frame.left))\""
        + " height=\"\(SVGText.number(frame.bottom - frame.top))\"/>"
    ]
  }

  /// 0.1, 20, 1,000: the values of ticks need no more than a digit.
  private func axisText(_ value: Double) -> String {
    value < 1e-3 ? Numbers.scientific(value, digits: 0) : Numbers.significant(value, digits: 1)
  }

  private var roofs: [String] {
    report.roofs.flatMap { roof in
      let color = color(of: roof.device)
      let title =
        "<title>\(SVGText.escaped(roof.device + ": " + facts(roof).joined(separator: ", ")))</title>"
      let lines =
        [SVGText.polyline(roofLine(roof), kind: "roof \(color)")]
        + (sgemmLine(roof).map { [SVGText.polyline($0, kind: "sgemm \(color)")] } ?? [])
      return ["<g>" + title] + lines + ["</g>"]
    }
  }

  private var marks: [String] {
    let places = points.map { place($0.intensity, $0.flopsPerSecond) }
    let marks = zip(points, places).map { point, place in
      "<g class=\"mark \(color(of: point.row.device))\"><title>\(SVGText.escaped(tooltip(point)))</title>"
        + SVGText.mark(shape(of: point.row.benchmark), x: place.x, y: place.y) + "</g>"
    }
    let lines = report.roofs.flatMap { [roofLine($0)] + (sgemmLine($0).map { [$0] } ?? []) }
    var placement = LabelPlacement(frame: Self.frame, points: places, lines: lines)
    // The same problem on several devices lies on one vertical and needs one name.
    var named: Set<String> = []
    let labels = zip(points, places).compactMap { point, place -> String? in
      let label = label(point.row)
      guard !label.isEmpty, !named.contains(point.row.benchmark + label),
        let spot = placement.place(width: PlotPage.characterWidth * Double(label.count), beside: place)
      else { return nil }
      named.insert(point.row.benchmark + label)
      return SVGText.text(label, x: spot.x, y: spot.y, kind: "small")
    }
    return marks + labels
  }

  /// `512×512×512 nt`: numbers that follow each other as a product, the rest apart.
  private func label(_ row: BenchmarkRow) -> String {
    var label = ""
    var endsInNumber = false
    for parameter in row.parameters {
      let isNumber = Int(parameter.value) != nil
      label += label.isEmpty ? "" : endsInNumber && isNumber ? "×" : " "
      label += parameter.value
      endsInNumber = isNumber
    }
    return label.count <= 36 ? label : ""
  }

  private func tooltip(_ point: Point) -> String {
    let figures = point.figures
    var parts = [
      point.row.title, "\(BenchmarkText.giga(point.flopsPerSecond)) GFLOP/s",
      "\(Numbers.significant(point.intensity)) FLOP/byte", BenchmarkText.time(figures.median),
      "quartiles \(BenchmarkText.range(figures.lowerQuartile, figures.upperQuartile))",
    ]
    if let share = figures.shareOfPeak { parts.append("\(Numbers.percent(share)) of the peak") }
    if let share = figures.shareOfCopy { parts.append("\(Numbers.percent(share)) of the copy bandwidth") }
    return parts.joined(separator: "; ")
  }

  private func facts(_ roof: DeviceRoof) -> [String] {
    ["peak \(BenchmarkText.giga(roof.flopsPerSecond)) GFLOP/s"]
      + (roof.sgemmPeak.map { ["sgemm \(BenchmarkText.giga($0)) GFLOP/s (dashed)"] } ?? [])
      + ["copy \(BenchmarkText.giga(roof.bytesPerSecond)) GB/s"]
  }

  private var legend: [String] {
    let x = Self.frame.right + 24
    var y = Self.frame.top + 6
    var parts: [String] = []
    for device in devices {
      parts.append(SVGText.line((x, y - 4), (x + 22, y - 4), kind: "roof \(color(of: device))"))
      parts.append(SVGText.text(device, x: x + 30, y: y, kind: "axis"))
      let roof = report.roofs.first { $0.device == device }
      for fact in roof.map(facts) ?? ["no roof measured"] {
        y += 15
        parts.append(SVGText.text(fact, x: x + 30, y: y, kind: "small"))
      }
      y += 22
    }
    y += 6
    for benchmark in benchmarks {
      parts.append(
        "<g class=\"mark c5\">" + SVGText.mark(shape(of: benchmark), x: x + 11, y: y - 4) + "</g>")
      parts.append(SVGText.text(benchmark, x: x + 30, y: y, kind: "axis"))
      y += 19
    }
    return parts
  }

  private var caption: [String] {
    let environment = report.environment
    var sentences = environment.devices.map { "\($0.name): \($0.product), driver \($0.driver)" }
    let red = report.redRows.count
    let rest = report.rows.count - points.count - red
    sentences.append(
      "\(environment.date), nibble \(environment.version)"
        + (environment.revision.map { ", revision \($0)" } ?? "")
        + ", \(environment.hostThreads) host threads")
    if red > 0 { sentences.append("left out: \(red) that failed") }
    if rest > 0 { sentences.append("left out: \(rest) without arithmetic or without samples") }
    if let note = environment.load.note { sentences.append(note) }
    sentences.append("command: " + environment.command)
    return sentences
  }

  private func color(of device: String) -> String {
    PlotStyle.colorClass(devices.firstIndex(of: device) ?? 0)
  }

  private func shape(of benchmark: String) -> Int { benchmarks.firstIndex(of: benchmark) ?? 0 }
}
