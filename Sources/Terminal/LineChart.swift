/// A line chart in characters: braille dots (2 x 4 a cell), or `*` in ASCII.
public struct LineChart: Sendable {
  /// A point of the curve.
  public struct Point: Sendable, Hashable {
    /// Position along the horizontal axis, such as the step.
    public var x: Double
    /// The value, such as the loss.
    public var y: Double

    /// A point.
    public init(x: Double, y: Double) {
      self.x = x
      self.y = y
    }
  }

  /// Above the chart; empty for none.
  public var title: String
  /// Under the horizontal axis.
  public var xLabel: String
  /// In any order; points that are not finite are left out and counted in the caption.
  public var points: [Point]

  /// A chart of one curve.
  public init(title: String = "", xLabel: String = "step", points: [Point]) {
    self.title = title
    self.xLabel = xLabel
    self.points = points
  }

  /// The chart's lines, at most `columns` wide.
  ///
  /// - Parameters:
  ///   - columns: At least 24; less is taken as 24.
  ///   - rows: Rows of the curve itself, at least 3.
  ///   - glyphs: Braille or ASCII.
  public func rendered(columns: Int, rows: Int = 12, glyphs: Glyphs) -> [String] {
    let finite = points.filter { $0.x.isFinite && $0.y.isFinite }.sorted { $0.x < $1.x }
    guard let first = finite.first, let last = finite.last else {
      return [title.isEmpty ? "no finite points" : "\(title): no finite points"]
    }
    let columns = max(24, columns)
    let rows = max(3, rows)
    let low = finite.map(\.y).min() ?? first.y
    let high = finite.map(\.y).max() ?? first.y
    let labels = [high, middle(low, high), low].map { Numbers.significant($0) }
    let margin = labels.map(displayWidth).max() ?? 0
    let width = max(4, columns - margin - 2)
    var canvas = DotCanvas(columns: width, rows: rows, glyphs: glyphs)
    plot(finite, low: low, high: high, on: &canvas)

    var lines = title.isEmpty ? [] : [fitted(title, columns: columns)]
    let edge = glyphs == .unicode ? "│" : "|"
    for row in 0..<rows {
      let label = row == 0 ? labels[0] : row == rows - 1 ? labels[2] : row == rows / 2 ? labels[1] : ""
      lines.append(padded(label, to: margin, right: true) + " " + edge + canvas.line(row))
    }
    lines.append(axis(from: first.x, to: last.x, margin: margin + 2, width: width))
    let missing = points.count - finite.count
    if missing > 0 { lines.append("\(missing) of \(points.count) points not finite") }
    return lines
  }

  private func plot(_ points: [Point], low: Double, high: Double, on canvas: inout DotCanvas) {
    guard let first = points.first, let last = points.last else { return }
    // Halves first: the span of two finite numbers may overflow.
    let xSpan = last.x / 2 - first.x / 2
    let ySpan = high / 2 - low / 2
    var previous: (x: Int, y: Int)?
    for point in points {
      let across = xSpan > 0 ? (point.x / 2 - first.x / 2) / xSpan : 0
      let up = ySpan > 0 ? (point.y / 2 - low / 2) / ySpan : 0.5
      let x = Int((across * Double(canvas.width - 1)).rounded())
      let y = Int(((1 - up) * Double(canvas.height - 1)).rounded())
      canvas.draw(from: previous ?? (x, y), to: (x, y))
      previous = (x, y)
    }
  }

  private func middle(_ a: Double, _ b: Double) -> Double { a / 2 + b / 2 }

  private func axis(from first: Double, to last: Double, margin: Int, width: Int) -> String {
    let left = axisNumber(first)
    let right = axisNumber(last)
    let room = width - left.count - right.count
    let label = xLabel.count + 2 <= room ? xLabel : ""
    let before = max(1, (room - label.count) / 2)
    let after = max(0, room - label.count - before)
    let middle = String(repeating: " ", count: before) + label + String(repeating: " ", count: after)
    return String(repeating: " ", count: margin) + left + (left == right ? " " + label : middle + right)
  }

  private func axisNumber(_ value: Double) -> String {
    let isWhole = value == value.rounded() && value.magnitude < 1e12
    return isWhole ? Numbers.grouped(Int(value)) : Numbers.significant(value)
  }
}

/// A grid of dots shown as characters.
private struct DotCanvas {
  let width: Int
  let height: Int
  private let cellWidth: Int
  private let cellHeight: Int
  private var cells: [[UInt8]]

  init(columns: Int, rows: Int, glyphs: Glyphs) {
    cellWidth = glyphs == .unicode ? 2 : 1
    cellHeight = glyphs == .unicode ? 4 : 1
    width = columns * cellWidth
    height = rows * cellHeight
    cells = [[UInt8]](repeating: [UInt8](repeating: 0, count: columns), count: rows)
  }

  /// Bresenham's line between two dots.
  mutating func draw(from start: (x: Int, y: Int), to end: (x: Int, y: Int)) {
    let dx = abs(end.x - start.x)
    let dy = -abs(end.y - start.y)
    let stepX = start.x < end.x ? 1 : -1
    let stepY = start.y < end.y ? 1 : -1
    var (x, y) = start
    var error = dx + dy
    while true {
      set(x, y)
      if (x, y) == end { return }
      let doubled = 2 * error
      if doubled >= dy {
        error += dy
        x += stepX
      }
      if doubled <= dx {
        error += dx
        y += stepY
      }
    }
  }

  func line(_ row: Int) -> String {
    var text = ""
    for cell in cells[row] {
      if cellWidth == 1 {
        text += cell == 0 ? " " : "*"
      } else if cell == 0 {
        text += " "
      } else if let scalar = Unicode.Scalar(0x2800 + UInt32(cell)) {
        text.unicodeScalars.append(scalar)
      }
    }
    while text.last == " " { text.removeLast() }
    return text
  }

  private mutating func set(_ x: Int, _ y: Int) {
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    // Bit order of the braille block U+2800: down the left column, then the right, the fourth row last.
    let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
    cells[y / cellHeight][x / cellWidth] |= cellWidth == 1 ? 1 : bits[y % 4][x % 2]
  }
}
