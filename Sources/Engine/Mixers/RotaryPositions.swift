/// The rotation table of a model on its device.
///
/// A whole sequence needs the positions from 0; token by token a table of the next few is enough, so that memory does not
/// grow with the position.
final class RotaryPositions {
  private let frequencies: RotaryFrequencies
  private let device: any OperationDevice
  /// Positions from 0 on.
  private var whole: RotaryTable?
  /// Positions further on.
  private var ahead: (first: Int, table: RotaryTable)?

  /// Positions that a table further on has at least.
  private static let leastAhead = 256

  init(_ settings: RotarySettings, on device: any OperationDevice) throws {
    frequencies = try RotaryFrequencies(
      rotaryDimensions: settings.rotaryDimensions, theta: settings.theta, scaling: settings.scaling,
      attentionFactor: settings.attentionFactor)
    self.device = device
  }

  /// Turns x [batch, time, heads, headDimension], whose first token stands at `position`.
  func rotate(_ x: Tensor, from position: Int, _ tape: Tape) -> Tensor {
    let (first, table) = table(covering: position..<position + x.shape[1])
    return tape.rope(x, table: table, positionOffset: position - first)
  }

  private func table(covering positions: Range<Int>) -> (first: Int, table: RotaryTable) {
    if let whole, positions.upperBound <= whole.positions { return (0, whole) }
    if positions.lowerBound == 0 {
      let made = make(from: 0, count: positions.count)
      whole = made
      return (0, made)
    }
    if let ahead, positions.lowerBound >= ahead.first,
      positions.upperBound <= ahead.first + ahead.table.positions
    {
      return ahead
    }
    let made = (
      first: positions.lowerBound,
      table: make(from: positions.lowerBound, count: max(positions.count, Self.leastAhead))
    )
    ahead = made
    return made
  }

  private func make(from first: Int, count: Int) -> RotaryTable {
    device is PlanningDevice
      ? RotaryTable(planned: frequencies, positions: count, on: device)
      : RotaryTable(frequencies, from: first, positions: count, on: device)
  }
}
