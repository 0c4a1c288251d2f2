/// A layer with a linear-time recurrence: `o_proj(norm(recurrence(q, k, v)) silu(g_proj x))`.
///
/// q, k and v are projections, each through a short causal convolution with silu where the settings have one; the norm is
/// an RMS norm per head. The tensors' names: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `g_proj` (`.weight`), `q_conv1d`,
/// `k_conv1d`, `v_conv1d` (`.weight` [channels, 1, taps]), `o_norm.weight`, and those of the kind.
struct LinearMixer<Kind: LinearMixerKind>: CatalogueMixer {
  static var name: String { Kind.name }
  private let kind: Kind
  private let shape: MixerShape
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let output: Linear
  private let gate: Linear?
  private let norm: Parameter
  private let convolutions: [Parameter]

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    self.shape = shape
    kind = try Kind(shape, named)
    query = Linear(weight: try named("q_proj.weight"))
    key = Linear(weight: try named("k_proj.weight"))
    value = Linear(weight: try named("v_proj.weight"))
    output = Linear(weight: try named("o_proj.weight"))
    gate = shape.settings.hasOutputGate ? Linear(weight: try named("g_proj.weight")) : nil
    norm = try named("o_norm.weight")
    convolutions =
      shape.settings.convolution > 0 ? try ["q", "k", "v"].map { try named($0 + "_conv1d.weight") } : []
  }

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let (keys, values) = (shape.keyHeads * shape.keyWidth, shape.heads * shape.valueWidth)
    let taps = shape.settings.convolution
    var list: [MixerParameter] = [
      .matrix("q_proj", keys, shape.modelDimension), .matrix("k_proj", keys, shape.modelDimension),
      .matrix("v_proj", values, shape.modelDimension),
    ]
    if taps > 0 {
      list += zip(["q", "k", "v"], [keys, keys, values]).map { name, channels in
        .convolution(name + "_conv1d", channels: channels, taps: taps)
      }
    }
    if shape.settings.hasOutputGate { list.append(.matrix("g_proj", values, shape.modelDimension)) }
    list.append(.vector("o_norm.weight", shape.valueWidth, .constant(1)))
    list.append(.matrix("o_proj", shape.modelDimension, values))
    return list + Kind.parameters(shape)
  }

  static func problems(_ shape: MixerShape) -> [String] { Kind.problems(shape) }
  static func cachedRows(_ shape: MixerShape) -> CachedRows? { Kind.cachedRows(shape) }

  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    let kept = context.cache?.states(layer: layer) ?? []
    var parts = [query(x, tape), key(x, tape), value(x, tape)]
    var states: [Tensor] = []
    for (index, weight) in convolutions.enumerated() {
      let channels = parts[index].shape.last
      let (y, state) = tape.causalConvolution(
        parts[index], weight: tape.parameter(weight).reshaped(to: [channels, shape.settings.convolution]),
        activation: .silu, initialState: kept.isEmpty ? nil : kept[index], documents: context.documents)
      parts[index] = y
      states.append(state)
    }
    let front = Array(x.shape.dimensions.dropLast())
    let operands = LinearMixerOperands(
      x: x, query: parts[0].reshaped(to: Shape(front + [shape.keyHeads, shape.keyWidth])),
      key: parts[1].reshaped(to: Shape(front + [shape.keyHeads, shape.keyWidth])),
      value: parts[2].reshaped(to: Shape(front + [shape.heads, shape.valueWidth])),
      states: Array(kept.dropFirst(convolutions.count)), position: context.position,
      documents: context.documents, cache: context.cache, layer: layer)
    let (mixed, further) = kind(operands, tape)
    context.cache?.keep(states + further, layer: layer)
    let merged = finished(mixed, x, tape).reshaped(to: Shape(front + [shape.heads * shape.valueWidth]))
    return output(merged, tape)
  }

  /// The norm per head and the gate.
  private func finished(_ mixed: Tensor, _ x: Tensor, _ tape: Tape) -> Tensor {
    let weight = tape.parameter(norm)
    guard let gate else { return tape.rmsNorm(mixed, weight: weight, epsilon: shape.normEpsilon) }
    return tape.gatedRMSNorm(
      mixed, gate: gate(x, tape).reshaped(to: mixed.shape), weight: weight, epsilon: shape.normEpsilon,
      order: .normThenGate)
  }
}
