/// NormAttention: linear attention whose denominator is left to the norm per head, so that gradients stay bounded.
///
/// - SeeAlso: Qin et al., "The Devil in Linear Transformer", 2022.
struct NormAttentionMixer: LinearMixerKind {
  static let name = "norm_attention"
  private let options: LinearAttentionOptions

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    options = LinearAttentionOptions(
      shape.settings.featureMap, normalizes: false, scale: 1 / Float(shape.keyWidth).squareRoot())
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    let result = tape.linearAttention(
      query: operands.query, key: operands.key, value: operands.value, options: options,
      initialState: operands.state, documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
