import Engine
public import Terminal

/// A roofline: arithmetic intensity against speed, both logarithmic, with the measured roofs of the devices.
///
/// One self-contained SVG without scripts; the report is embedded as JSON. Wrong results and work without arithmetic have
/// no point, and the caption says how many were left out.
///
/// - SeeAlso: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
public struct RooflinePlot {
  struct Point {
    let row: BenchmarkRow
    let figures: BenchmarkFigures
    /// FLOP per byte.
    let intensity: Double
    let flopsPerSecond: Double
  }

  static let frame = LabelPlacement.Box(left: 70, top: 50, right: 740, bottom: 500)

  let report: BenchmarkReport
  let points: [Point]
  /// Devices in the order of their colours, rivals among them.
  let devices: [String]
  /// Benchmarks in the order of their marks.
  let benchmarks: [String]
  let horizontal: LogarithmicAxis
  let vertical: LogarithmicAxis

  /// - Throws: `RooflineError` when no row has a point.
  public init(_ report: BenchmarkReport) throws {
    self.report = report
    points = report.rows.indices.compactMap { index in
      guard let figures = report.figures(at: index), let intensity = figures.intensity,
        let speed = figures.flopsPerSecond, intensity.isFinite, speed.isFinite
      else { return nil }
      return Point(row: report.rows[index], figures: figures, intensity: intensity, flopsPerSecond: speed)
    }
    guard let first = points.first else { throw RooflineError.noPoints(rows: report.rows.count) }
    devices = (report.roofs.map(\.device) + points.map(\.row.device)).unique()
    benchmarks = points.map(\.row.benchmark).unique()
    let ridges = report.roofs.map { $0.flopsPerSecond / $0.bytesPerSecond }.filter { $0.isFinite && $0 > 0 }
    let across = points.map(\.intensity) + ridges
    let tops = report.roofs.flatMap { [$0.flopsPerSecond, $0.sgemmPeak ?? $0.flopsPerSecond] }
    let up = points.map(\.flopsPerSecond) + tops.filter { $0.isFinite && $0 > 0 }
    // A little room around, so that no mark lies on the frame.
    let left = (across.min() ?? first.intensity) / 2
    let right = (across.max() ?? first.intensity) * 2
    horizontal = LogarithmicAxis(covering: left...right, from: Self.frame.left, to: Self.frame.right)
    let bottom = (points.map(\.flopsPerSecond).min() ?? first.flopsPerSecond) / 2
    let top = (up.max() ?? first.flopsPerSecond) * 1.3
    vertical = LogarithmicAxis(covering: bottom...top, from: Self.frame.bottom, to: Self.frame.top)
  }

  func place(_ intensity: Double, _ flopsPerSecond: Double) -> (x: Double, y: Double) {
    (horizontal.place(intensity), vertical.place(flopsPerSecond))
  }

  /// The bandwidth's slope up to the ridge and the peak behind it, inside the frame.
  func roofLine(_ roof: DeviceRoof) -> [(x: Double, y: Double)] {
    let ridge = roof.flopsPerSecond / roof.bytesPerSecond
    let left = max(horizontal.low, vertical.low / roof.bytesPerSecond)
    guard left < ridge else { return flat(roof.flopsPerSecond, from: horizontal.low) }
    return [place(left, left * roof.bytesPerSecond)] + flat(roof.flopsPerSecond, from: ridge)
  }

  /// The sgemm peak from where the bandwidth reaches it; nil on devices without one.
  func sgemmLine(_ roof: DeviceRoof) -> [(x: Double, y: Double)]? {
    guard let peak = roof.sgemmPeak, peak > 0 else { return nil }
    return flat(peak, from: max(horizontal.low, peak / roof.bytesPerSecond))
  }

  private func flat(_ speed: Double, from left: Double) -> [(x: Double, y: Double)] {
    [place(left, speed), place(horizontal.high, speed)]
  }
}

/// Why there is no roofline.
public enum RooflineError: UserError, Hashable {
  /// No row has both arithmetic and traffic and a right result.
  case noPoints(rows: Int)
  /// The benchmark computes nothing.
  case noArithmetic

  public var message: String { "--roofline has nothing to draw" }

  public var details: [String] {
    switch self {
    case .noArithmetic: ["these rows have no FLOPs"]
    case .noPoints(let rows): ["none of the \(rows) rows has FLOPs, bytes and a right result"]
    }
  }

  public var hints: [String] { ["nibble bench matmul has both"] }
}
