/// Causal Flow-Attention: sources compete for what sinks take in; the states are its running sums.
///
/// - SeeAlso: Wu et al., "Flowformer: Linearizing Transformers with Conservation Flows", 2022.
struct FlowMixer: LinearMixerKind {
  static let name = "flow"

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {}

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    tape.causalFlowAttention(
      query: operands.query, key: operands.key, value: operands.value, initialStates: operands.states,
      documents: operands.documents)
  }
}
