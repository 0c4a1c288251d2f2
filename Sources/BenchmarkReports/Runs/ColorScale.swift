import Glibc

/// From values to colours that are told apart on light and on dark pages, and by people who do not see red or green.
struct ColorScale {
  private enum Shape {
    case linear(low: Double, high: Double)
    /// Values up to `low` are alike.
    case logarithmic(low: Double, high: Double)
    /// As far below 0 as above.
    case around(limit: Double)
  }

  private let shape: Shape

  /// - Parameter least: What is below it is as bad as this.
  init(linear values: [Double], least: Double) {
    let range = Self.range(values.map { max($0, least) }, 0...1)
    shape = .linear(low: range.lowerBound, high: max(range.upperBound, range.lowerBound + 1))
  }

  /// - Parameter least: What is smaller is as good as zero.
  init(logarithmic values: [Double], least: Double) {
    let range = Self.range(values.map { max($0, least) }, least...(10 * least))
    let axis = LogarithmicAxis(covering: range, from: 0, to: 1)
    shape = .logarithmic(low: axis.low, high: axis.high)
  }

  init(around values: [Double]) {
    let most = values.map(\.magnitude).max() ?? 0
    shape = .around(limit: LinearAxis(covering: 0...max(most, 1e-6), from: 0, to: 1).high)
  }

  private static func range(_ values: [Double], _ otherwise: ClosedRange<Double>) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max() else { return otherwise }
    return low...high
  }

  /// From 0, the low end, to 1.
  func place(_ value: Double) -> Double {
    let place =
      switch shape {
      case .linear(let low, let high): (value - low) / (high - low)
      case .logarithmic(let low, let high): log(max(value, low) / low) / log(high / low)
      case .around(let limit): (value + limit) / (2 * limit)
      }
    return min(max(place, 0), 1)
  }

  func color(_ value: Double) -> String { color(at: place(value)) }

  /// The colour at a place from 0 to 1, as `#rrggbb`.
  func color(at place: Double) -> String {
    let stops = isAround ? Self.diverging : Self.rising
    let position = place * Double(stops.count - 1)
    let index = min(Int(position), stops.count - 2)
    let share = position - Double(index)
    let channels = (0..<3).map { channel in
      let (a, b) = (Double(stops[index][channel]), Double(stops[index + 1][channel]))
      return Int((a + (b - a) * share).rounded())
    }
    return "#" + channels.map { Self.hex($0) }.joined()
  }

  private static func hex(_ value: Int) -> String {
    let text = String(value, radix: 16)
    return text.count < 2 ? "0" + text : text
  }

  private var isAround: Bool { if case .around = shape { true } else { false } }

  /// Round values with their places from 0 to 1.
  var ticks: [(place: Double, value: Double)] {
    let values: [Double]
    switch shape {
    case .linear(let low, let high):
      let step = LinearAxis(covering: 0...(high - low) / 2, from: 0, to: 1).step
      values = stride(from: (low / step).rounded(.up), through: (high / step).rounded(.down), by: 1).map {
        $0 * step
      }
    case .logarithmic(let low, let high):
      let all = LogarithmicAxis(covering: low...high, from: 0, to: 1).ticks.filter(\.isLabelled)
      values = all.map(\.value)
    case .around(let limit): values = [-1, -0.5, 0, 0.5, 1].map { $0 * limit }
    }
    return values.map { (place($0), $0) }
  }

  /// Dark blue over green to yellow, even steps of lightness (after matplotlib's viridis, van der Walt and Smith 2015).
  private static let rising = [
    [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128],
    [94, 201, 98], [173, 220, 48], [253, 231, 37],
  ]

  /// Blue over a pale grey to orange.
  private static let diverging = [
    [10, 70, 140], [60, 130, 195], [145, 190, 222], [222, 225, 229], [246, 190, 140], [226, 122, 50],
    [150, 62, 8],
  ]
}
