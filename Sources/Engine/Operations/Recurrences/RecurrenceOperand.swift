import Kernels

/// An input of a recurrence in front of the optional ones.
struct RecurrenceOperand: Sendable, Hashable {
  /// What belongs to one token and head.
  enum Extent: Sendable, Hashable {
    /// A row of keys, [batch, time, groups, k], shared by heads / groups neighbouring heads.
    case sharedRow
    /// A row of keys, [batch, time, heads, k].
    case row
    /// A row of values, [batch, time, heads, v].
    case value
    /// A number, [batch, time, heads].
    case number
    /// A number that is the same at every token, [heads].
    case perHead

    /// That of the gradient, which comes for every token and head.
    var ofGradient: Extent {
      switch self {
      case .sharedRow: .row
      case .perHead: .number
      case .row, .value, .number: self
      }
    }
  }

  let name: String
  let extent: Extent

  init(_ name: String, _ extent: Extent) {
    self.name = name
    self.extent = extent
  }

  /// The gradient of this operand as an output.
  var gradient: RecurrenceOperand { RecurrenceOperand(name + "_gradient", extent.ofGradient) }

  /// As it stands in a signature.
  var text: String {
    switch extent {
    case .sharedRow: name + " [batch, time, groups, k]"
    case .row: name + " [batch, time, heads, k]"
    case .value: name + " [batch, time, heads, v]"
    case .number: name + " [batch, time, heads]"
    case .perHead: name + " [heads]"
    }
  }

  func shape(_ size: RecurrenceExtents) -> Shape {
    switch extent {
    case .sharedRow: [size.batch, size.time, size.keyHeads, size.width]
    case .row: [size.batch, size.time, size.heads, size.width]
    case .value: [size.batch, size.time, size.heads, size.valueWidth]
    case .number: [size.batch, size.time, size.heads]
    case .perHead: [size.heads]
    }
  }

  /// Where the numbers of a token and head stand.
  func elements(_ size: RecurrenceExtents, batch: Int, time: Int, head: Int) -> Range<Int> {
    let (start, count) =
      switch extent {
      case .sharedRow: (size.keyRow(batch, time, size.keyHead(head)), size.width)
      case .row: (size.row(batch, time, head, width: size.width), size.width)
      case .value: (size.row(batch, time, head, width: size.valueWidth), size.valueWidth)
      case .number: (size.row(batch, time, head, width: 1), 1)
      case .perHead: (head, 1)
      }
    return start..<start + count
  }
}
