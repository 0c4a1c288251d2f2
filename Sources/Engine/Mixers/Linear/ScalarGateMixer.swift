import Glibc

/// A decay per head and token; see ``TokenDecay``.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
struct ScalarGateMixer: LinearMixerKind {
  static let name = "scalar_gate"
  private let gate: TokenDecay
  private let scale: Float

  static func parameters(_ shape: MixerShape) -> [MixerParameter] { TokenDecay.parameters(shape) }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    gate = try TokenDecay(shape, named)
    scale = 1 / Float(shape.keyWidth).squareRoot()
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    let result = tape.scalarGatedLinearAttention(
      query: operands.query, key: operands.key, value: operands.value, gate: gate(operands, tape),
      scale: scale,
      initialState: operands.state, documents: operands.documents)
    return (result.output, [result.finalState])
  }
}

/// The data-dependent decay of scalar gates and of the gated delta rule.
///
/// Mamba-2's form has the tensors `a_proj.weight`, `A_log`, `dt_bias`; the sigmoid's `a_proj.weight` and `a_proj.bias`.
enum TokenDecay {
  case step(projection: Linear, rate: Parameter, bias: Parameter)
  case sigmoid(projection: Linear)

  /// The form, as configurations name it.
  enum Form: String, Sendable, CaseIterable {
    /// `-exp(A_log) softplus(a_proj x + dt_bias)`: memories from a fraction of a token to thousands.
    case step
    /// `log(sigmoid(a_proj x + bias))`; a bias that starts at 4 gives long memories at first.
    case sigmoid
  }

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let projection = MixerParameter.matrix("a_proj", shape.heads, shape.modelDimension)
    switch shape.settings.gate {
    case .sigmoid:
      let start = ParameterStart.constant(Float(shape.settings.gateBias))
      return [projection, .vector("a_proj.bias", shape.heads, start)]
    case .step:
      // A uniform in (0, 16], steps log-uniform in [1e-3, 1e-1].
      return [
        projection, .vector("A_log", shape.heads, .uniform { log(16 * max($0, 1e-4)) }),
        .vector("dt_bias", shape.heads, .stepBias),
      ]
    }
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    switch shape.settings.gate {
    case .sigmoid:
      self = .sigmoid(projection: Linear(weight: try named("a_proj.weight"), bias: try named("a_proj.bias")))
    case .step:
      self = .step(
        projection: Linear(weight: try named("a_proj.weight")), rate: try named("A_log"),
        bias: try named("dt_bias"))
    }
  }

  /// Natural logarithms [batch, time, heads].
  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> Tensor {
    switch self {
    case .sigmoid(let projection): tape.logGate(.logSigmoid(normalizer: 1), projection(operands.x, tape))
    case .step(let projection, let rate, let bias):
      tape.logGate(
        projection(operands.x, tape), aLog: tape.parameter(rate), timeStepBias: tape.parameter(bias))
    }
  }
}
