/// Gated linear attention: a decay per head, key channel and token, from a projection of low rank.
///
/// `g = log(sigmoid(W2 W1 x + b)) / 16`; tensors `gk_proj.0.weight` [rank, model], `gk_proj.1.weight` [heads k, rank],
/// `gk_proj.1.bias`.
///
/// - SeeAlso: Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2024.
struct GatedLinearMixer: LinearMixerKind {
  static let name = "gated_linear"
  private static let rank = 16
  private let inner: Linear
  private let outer: Linear
  private let scale: Float

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let keys = shape.keyHeads * shape.keyWidth
    return [
      .matrix("gk_proj.0", rank, shape.modelDimension), .matrix("gk_proj.1", keys, rank),
      .vector("gk_proj.1.bias", keys, .constant(Float(shape.settings.gateBias))),
    ]
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    inner = Linear(weight: try named("gk_proj.0.weight"))
    outer = Linear(weight: try named("gk_proj.1.weight"), bias: try named("gk_proj.1.bias"))
    scale = 1 / Float(shape.keyWidth).squareRoot()
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    let gate = tape.logGate(.logSigmoid(normalizer: 16), outer(inner(operands.x, tape), tape))
    let result = tape.gatedLinearAttention(
      query: operands.query, key: operands.key, value: operands.value,
      gate: gate.reshaped(to: operands.key.shape), scale: scale, initialState: operands.state,
      documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
