import Engine
public import Files
public import Terminal

/// What a curve shows of a row.
public enum CurveMeasure: String, CaseIterable, Sendable {
  case tokensPerSecond = "tokens_per_s"
  case gflops
  case gigabytesPerSecond = "gb_per_s"
  /// Seconds of one execution.
  case seconds = "median_s"

  var title: String {
    switch self {
    case .tokensPerSecond: "tokens/s"
    case .gflops: "GFLOP/s"
    case .gigabytesPerSecond: "GB/s"
    case .seconds: "seconds"
    }
  }

  /// The measure at the median, the slower quartile and the faster one.
  func values(_ figures: BenchmarkFigures) -> (median: Double, slow: Double, fast: Double)? {
    let work: Double?
    switch self {
    case .tokensPerSecond: work = figures.tokensPerSecond.map { $0 * figures.median }
    case .gflops: work = figures.flopsPerSecond.map { $0 * figures.median / 1e9 }
    case .gigabytesPerSecond: work = figures.bytesPerSecond.map { $0 * figures.median / 1e9 }
    case .seconds: return (figures.median, figures.upperQuartile, figures.lowerQuartile)
    }
    guard let work, figures.lowerQuartile > 0 else { return nil }
    return (work / figures.median, work / figures.upperQuartile, work / figures.lowerQuartile)
  }
}

/// A figure of kept results over one of their parameters: one curve per kind of row, quartiles as whiskers.
///
/// The parameter's axis is logarithmic, that of the figure starts at 0: a speed that does not depend on the parameter is a
/// level line. One self-contained SVG without scripts.
public struct CurvePlot {
  struct Point {
    let x: Double
    let value: Double
    let slow: Double
    let fast: Double
  }

  struct Curve {
    let name: String
    /// By rising parameter.
    let points: [Point]
  }

  let reports: [BenchmarkReport]
  let parameter: String
  let measure: CurveMeasure
  let title: String
  let curves: [Curve]

  /// - Parameters:
  ///   - parameter: The one along the axis, for example `time`; its values are positive numbers.
  ///   - series: What tells curves apart: names of parameters, or `device`.
  /// - Throws: `CurveError` where a row is ambiguous or nothing can be drawn.
  public init(
    _ reports: [BenchmarkReport], over parameter: String, measure: CurveMeasure, series: [String],
    title: String?,
  ) throws {
    self.reports = reports
    self.parameter = parameter
    self.measure = measure
    var names: [String] = []
    var points: [String: [Point]] = [:]
    for report in reports {
      for index in report.rows.indices {
        let row = report.rows[index]
        guard let text = row.value(of: parameter), let x = Double(text), x > 0,
          let figures = report.figures(at: index), let values = measure.values(figures)
        else { continue }
        let name = try Self.name(row, series)
        if points[name] == nil { names.append(name) }
        guard points[name]?.contains(where: { $0.x == x }) != true else {
          throw CurveError.ambiguous(curve: name, parameter: parameter, value: text)
        }
        points[name, default: []].append(
          Point(x: x, value: values.median, slow: values.slow, fast: values.fast))
      }
    }
    guard !names.isEmpty else {
      throw CurveError.nothing(parameter: parameter, measure: measure.rawValue)
    }
    curves = names.map { name in Curve(name: name, points: points[name, default: []].sorted { $0.x < $1.x }) }
    let benchmarks = reports.flatMap { $0.rows.map(\.benchmark) }.unique().joined(separator: ", ")
    self.title = title ?? "\(benchmarks): \(measure.title) over \(parameter)"
  }

  /// What was drawn, for people.
  public var summary: String {
    let points = curves.map(\.points.count).reduce(0, +)
    return "\(curves.count) \(curves.count == 1 ? "curve" : "curves"), \(points) points"
  }

  /// The drawn points: per curve its name and [parameter, figure, slower quartile, faster quartile].
  public var json: JSON {
    [
      "kind": "curves", "over": .string(parameter), "measure": .string(measure.rawValue),
      "curves": .array(
        curves.map { curve in
          [
            "name": .string(curve.name),
            "points": .array(
              curve.points.map { .array([$0.x, $0.value, $0.slow, $0.fast].map { .number($0) }) }),
          ]
        }),
    ]
  }

  private static func name(_ row: BenchmarkRow, _ series: [String]) throws -> String {
    try series.map { part in
      if part == "device" { return row.device }
      guard let value = row.value(of: part) else {
        throw CurveError.unknown(series: part, known: ["device"] + row.parameters.map(\.name))
      }
      return value
    }.joined(separator: " ")
  }
}

/// Why there is no drawing of curves.
public enum CurveError: UserError, Hashable {
  /// Two rows of one curve stand at one place.
  case ambiguous(curve: String, parameter: String, value: String)
  /// No row has a number for both axes.
  case nothing(parameter: String, measure: String)
  /// A row has no such parameter.
  case unknown(series: String, known: [String])

  public var message: String {
    switch self {
    case .ambiguous(let curve, let parameter, let value):
      "several rows of '\(curve)' have \(parameter) \(value)"
    case .nothing(let parameter, let measure): "no row has \(parameter) and \(measure)"
    case .unknown(let series, _): "a row has no parameter '\(series)'"
    }
  }

  public var details: [String] { [] }

  public var hints: [String] {
    switch self {
    case .ambiguous: ["--series names what tells them apart, as in --series mixer,device"]
    case .nothing: ["--over names a parameter with numbers, --measure a figure of the rows"]
    case .unknown(let series, let known): nameHints(for: series, in: known, noun: "parameters")
    }
  }
}
