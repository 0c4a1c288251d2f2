import Glibc

/// A decay per head and token: `g = -exp(A_log) softplus(a_proj x + dt_bias)`.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
struct ScalarGateMixer: LinearMixerKind {
  static let name = "scalar_gate"
  private let gate: TokenDecay
  private let scale: Float

  static func parameters(_ shape: LinearMixerShape) -> [LinearMixerParameter] { TokenDecay.parameters(shape) }

  init(_ shape: LinearMixerShape, _ named: (String) throws -> Parameter) throws {
    gate = try TokenDecay(named)
    scale = 1 / Float(shape.keyWidth).squareRoot()
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, state: Tensor) {
    let result = tape.scalarGatedLinearAttention(
      query: operands.query, key: operands.key, value: operands.value, gate: gate(operands, tape),
      scale: scale,
      initialState: operands.state, documents: operands.documents)
    return (result.output, result.finalState)
  }
}

/// The data-dependent decay of Mamba-2 and the gated delta rule; tensors `a_proj.weight`, `A_log`, `dt_bias`.
struct TokenDecay {
  private let projection: Parameter
  private let rate: Parameter
  private let bias: Parameter

  static func parameters(_ shape: LinearMixerShape) -> [LinearMixerParameter] {
    [
      .matrix("a_proj", shape.heads, shape.modelDimension),
      // A uniform in (0, 16]: memories from a fraction of a step on.
      .vector("A_log", shape.heads, .uniform { log(16 * max($0, 1e-4)) }),
      .vector("dt_bias", shape.heads, .stepBias),
    ]
  }

  init(_ named: (String) throws -> Parameter) throws {
    projection = try named("a_proj.weight")
    rate = try named("A_log")
    bias = try named("dt_bias")
  }

  /// [batch, time, heads].
  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> Tensor {
    tape.logGate(
      operands.perHead(projection, tape), aLog: tape.parameter(rate), timeStepBias: tape.parameter(bias))
  }
}
