/// The rotation table of a model on its device, made longer when a longer sequence comes.
final class RotaryPositions {
  private let frequencies: RotaryFrequencies
  private let device: any OperationDevice
  private var table: RotaryTable?
  private var length = 0

  init(_ settings: RotarySettings, on device: any OperationDevice) throws {
    frequencies = try RotaryFrequencies(
      rotaryDimensions: settings.rotaryDimensions, theta: settings.theta, scaling: settings.scaling,
      attentionFactor: settings.attentionFactor)
    self.device = device
  }

  /// Turns x [batch, time, heads, headDimension], whose first token stands at `position`.
  func rotate(_ x: Tensor, from position: Int, _ tape: Tape) -> Tensor {
    tape.rope(x, table: table(covering: position + x.shape[1]), positionOffset: position)
  }

  private func table(covering positions: Int) -> RotaryTable {
    if let table, positions <= length { return table }
    // Doubling: decoding asks for one more position each time.
    length = max(positions, 2 * length)
    let made =
      device is PlanningDevice
      ? RotaryTable(planned: frequencies, positions: length, on: device)
      : RotaryTable(frequencies, positions: length, on: device)
    table = made
    return made
  }
}
