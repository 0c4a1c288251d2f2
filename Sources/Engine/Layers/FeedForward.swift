/// The position-wise part of a block.
enum FeedForward {
  /// `down(activation(gate x) * up x)`.
  case gated(gate: Linear, up: Linear, down: Linear, activation: Activation)
  /// `down(activation(up x))`.
  case plain(up: Linear, down: Linear, activation: Activation)

  func callAsFunction(_ x: Tensor, _ tape: Tape) -> Tensor {
    switch self {
    case .gated(let gate, let up, let down, let activation):
      down(tape.gated(activation, gate: gate(x, tape), up: up(x, tape)), tape)
    case .plain(let up, let down, let activation):
      down(up(x, tape, activation: activation), tape)
    }
  }
}
