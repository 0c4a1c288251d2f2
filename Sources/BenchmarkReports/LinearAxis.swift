import Glibc
import Terminal

/// A linear scale from values to places of a drawing, with lines at round values.
struct LinearAxis {
  let low: Double
  let high: Double
  let step: Double
  private let start: Double
  private let end: Double

  /// - Parameters:
  ///   - range: Widened to whole steps; an end at 0 stays there.
  ///   - start: The place of the low end; the high end lies at `end`.
  init(covering range: ClosedRange<Double>, from start: Double, to end: Double) {
    let size = max(abs(range.lowerBound), abs(range.upperBound))
    let width = range.upperBound - range.lowerBound
    // Equal values get a span of their own.
    let span = width > size * 1e-9 ? width : size > 0 ? size / 10 : 1
    let power = pow(10, floor(log10(span / 4)))
    let step = ([1, 2, 2.5, 5, 10].first { 4 * $0 * power >= span * 0.999999 } ?? 10) * power
    let room = 0.05
    low = range.lowerBound == 0 ? 0 : step * floor(range.lowerBound / step - room)
    high = range.upperBound == 0 && low < 0 ? 0 : step * ceil(range.upperBound / step + room)
    self.step = step
    (self.start, self.end) = (start, end)
  }

  func place(_ value: Double) -> Double { start + (end - start) * (value - low) / (high - low) }

  /// The lines with their values as text.
  var ticks: [PlotPage.Tick] {
    let first = (low / step).rounded()
    let last = (high / step).rounded()
    return stride(from: first, through: last, by: 1).map { index in
      let value = index * step
      // Few digits, but those in which neighbours differ.
      let digits = max(1, Int(ceil(log10(max(abs(low), abs(high)) / step))) + 2)
      return PlotPage.Tick(
        place: place(value), label: value == 0 ? "0" : Numbers.significant(value, digits: min(9, digits)))
    }
  }
}
