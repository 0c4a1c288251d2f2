import Glibc

/// A logarithmic scale from positive values to places of a drawing.
struct LogarithmicAxis {
  let low: Double
  let high: Double
  private let start: Double
  private let length: Double

  /// - Parameters:
  ///   - range: Widened to the nearest 1, 2 or 5 times a power of ten, and to a decade at least.
  ///   - start: The place of the low end; the high end lies at `end`.
  init(covering range: ClosedRange<Double>, from start: Double, to end: Double) {
    var low = Self.step(below: range.lowerBound)
    let high = Self.step(above: range.upperBound)
    if high / low < 10 { low = Self.step(below: high / 10) }
    self.low = low
    self.high = high
    self.start = start
    length = end - start
  }

  func place(_ value: Double) -> Double { start + length * log(value / low) / log(high / low) }

  /// The values with a line: 1, 2 and 5 times the powers of ten; those with a number are the powers when there are enough
  /// of them.
  var ticks: [(value: Double, isLabelled: Bool)] {
    var values: [(value: Double, factor: Double)] = []
    for power in Int(floor(log10(low)))...Int(ceil(log10(high))) {
      for factor in [1.0, 2, 5] { values.append((factor * pow(10, Double(power)), factor)) }
    }
    values.removeAll { $0.value < low * 0.999 || $0.value > high * 1.001 }
    let decades = values.filter { $0.factor == 1 }.count
    return values.map { ($0.value, $0.factor == 1 || decades < 3) }
  }

  private static func step(below value: Double) -> Double {
    let power = pow(10, floor(log10(value)))
    return [5, 2, 1].map { $0 * power }.first { $0 <= value * 1.000001 } ?? power
  }

  private static func step(above value: Double) -> Double {
    let power = pow(10, floor(log10(value)))
    return [1, 2, 5].map { $0 * power }.first { $0 >= value * 0.999999 } ?? 10 * power
  }
}
