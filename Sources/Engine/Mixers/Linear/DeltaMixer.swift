/// The delta rule: every token replaces what the state answers to its key, `S += k (beta (v - S^T k))^T`.
///
/// Keys and queries have unit length; `beta = sigmoid(b_proj x)`, doubled where states may change their sign.
///
/// - SeeAlso: Yang et al., "Parallelizing Linear Transformers with the Delta Rule over Sequence Length", 2024.
struct DeltaMixer: LinearMixerKind {
  static let name = "delta"
  private let step: DeltaStep

  static func parameters(_ shape: MixerShape) -> [MixerParameter] { DeltaStep.parameters(shape) }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    step = try DeltaStep(shape, named)
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    step(operands, gate: nil, tape)
  }
}

/// The delta rule with a decay per head and token in front of every step.
///
/// - SeeAlso: Yang et al., "Gated Delta Networks", 2024.
struct GatedDeltaMixer: LinearMixerKind {
  static let name = "gated_delta"
  private let step: DeltaStep
  private let gate: TokenDecay

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    DeltaStep.parameters(shape) + TokenDecay.parameters(shape)
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    step = try DeltaStep(shape, named)
    gate = try TokenDecay(shape, named)
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    step(operands, gate: gate(operands, tape), tape)
  }
}

/// What the two have in common; tensor `b_proj.weight`.
private struct DeltaStep {
  private let projection: Parameter
  private let largest: Double
  private let scale: Float

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    [.matrix("b_proj", shape.heads, shape.modelDimension)]
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    projection = try named("b_proj.weight")
    largest = shape.settings.allowsNegativeEigenvalues ? 2 : 1
    scale = 1 / Float(shape.keyWidth).squareRoot()
  }

  func callAsFunction(
    _ operands: LinearMixerOperands, gate: Tensor?, _ tape: Tape,
  ) -> (output: Tensor, states: [Tensor]) {
    let largest = largest
    let beta = tape.apply(
      Pointwise(PointwiseProgram(inputs: 1) { [Activation.sigmoid($0[0]) * largest] }),
      [operands.perHead(projection, tape)])[0]
    let result = tape.gatedDeltaRule(
      query: tape.l2Normalize(operands.query), key: tape.l2Normalize(operands.key), value: operands.value,
      beta: beta, gate: gate, scale: scale, initialState: operands.state, documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
