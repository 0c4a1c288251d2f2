import Kernels

/// Retention: one fixed decay per head, queries and keys rotated where the model rotates.
///
/// - SeeAlso: Sun et al., "Retentive Network", 2023.
struct RetentionMixer: LinearMixerKind {
  static let name = "retention"
  private let decays: [Float]
  private let scale: Float
  private let rotation: RotaryPositions?

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    decays = shape.settings.decay.logDecays(heads: shape.heads, layer: shape.layer, layers: shape.layers)
      .map { Float($0) }
    scale = 1 / Float(shape.keyWidth).squareRoot()
    rotation = shape.rotation
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    func turned(_ x: Tensor) -> Tensor { rotation?.rotate(x, from: operands.position, tape) ?? x }
    return fixedDecay(
      query: turned(operands.query), key: turned(operands.key), value: operands.value, decays: decays,
      scale: scale, operands, tape)
  }
}

/// Lightning Attention: silu features, no scale, decays that fade with depth.
///
/// - SeeAlso: Qin et al., "Lightning Attention-2", 2024.
struct LightningMixer: LinearMixerKind {
  static let name = "lightning"
  private let decays: [Float]
  private let hasConvolution: Bool

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    decays = shape.settings.decay.logDecays(heads: shape.heads, layer: shape.layer, layers: shape.layers)
      .map { Float($0) }
    hasConvolution = shape.settings.convolution > 0
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    // The convolution has its own silu.
    func features(_ x: Tensor) -> Tensor { hasConvolution ? x : tape.activation(.silu, x) }
    return fixedDecay(
      query: features(operands.query), key: features(operands.key), value: features(operands.value),
      decays: decays, scale: 1, operands, tape)
  }
}

extension LinearMixerKind {
  /// The recurrence with one decay per head that is not trained.
  func fixedDecay(
    query: Tensor, key: Tensor, value: Tensor, decays: [Float], scale: Float, _ operands: LinearMixerOperands,
    _ tape: Tape,
  ) -> (output: Tensor, states: [Tensor]) {
    let gate = Tensor(tape.device.allocate(decays.count, of: .float32), shape: [decays.count])
    tape.device.writeSmall(decays, to: gate.memory)
    let result = tape.scalarGatedLinearAttention(
      query: query, key: key, value: value, gate: gate, scale: scale, initialState: operands.state,
      documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
