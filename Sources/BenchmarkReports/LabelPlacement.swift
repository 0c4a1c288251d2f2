/// Finds places for the labels of points where they cover nothing.
struct LabelPlacement {
  struct Box {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double

    func overlaps(_ other: Box) -> Bool {
      left < other.right && other.left < right && top < other.bottom && other.top < bottom
    }

    func contains(_ other: Box) -> Bool {
      left <= other.left && top <= other.top && right >= other.right && bottom >= other.bottom
    }

    /// Whether a straight line runs through (Liang and Barsky's clipping).
    func isCrossed(from a: (x: Double, y: Double), to b: (x: Double, y: Double)) -> Bool {
      let sides = [
        (a.x - b.x, a.x - left), (b.x - a.x, right - a.x), (a.y - b.y, a.y - top), (b.y - a.y, bottom - a.y),
      ]
      var enter = 0.0
      var leave = 1.0
      for (slope, distance) in sides {
        if slope == 0 {
          if distance < 0 { return false }
        } else if slope < 0 {
          enter = max(enter, distance / slope)
        } else {
          leave = min(leave, distance / slope)
        }
      }
      return enter <= leave
    }
  }

  private let frame: Box
  private let lines: [[(x: Double, y: Double)]]
  private var taken: [Box]

  /// - Parameters:
  ///   - frame: Where labels may stand.
  ///   - points: Centres of the marks.
  ///   - lines: Polylines that labels must not cross.
  init(frame: Box, points: [(x: Double, y: Double)], lines: [[(x: Double, y: Double)]]) {
    self.frame = frame
    self.lines = lines
    taken = points.map { Box(left: $0.x - 6, top: $0.y - 6, right: $0.x + 6, bottom: $0.y + 6) }
  }

  /// The left end and the baseline of a label beside a point; nil when every side is taken.
  mutating func place(width: Double, beside point: (x: Double, y: Double)) -> (x: Double, y: Double)? {
    let height = 13.0
    let gap = 8.0
    let sides = [
      (point.x + gap, point.y - height / 2), (point.x - gap - width, point.y - height / 2),
      (point.x - width / 2, point.y - gap - height), (point.x - width / 2, point.y + gap),
      (point.x + gap, point.y - gap - height), (point.x + gap, point.y + gap),
      (point.x - gap - width, point.y - gap - height), (point.x - gap - width, point.y + gap),
    ]
    for (left, top) in sides {
      let box = Box(left: left, top: top, right: left + width, bottom: top + height)
      guard frame.contains(box), !taken.contains(where: box.overlaps) else { continue }
      let isCrossed = lines.contains { line in
        zip(line, line.dropFirst()).contains { box.isCrossed(from: $0, to: $1) }
      }
      if isCrossed { continue }
      taken.append(box)
      return (left, top + height - 3)
    }
    return nil
  }
}
