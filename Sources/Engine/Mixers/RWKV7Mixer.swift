import Kernels

/// RWKV-7's time mixing.
///
/// Six mixtures of every token with the one before give the receptance, the decay, the key, the value, the in-context
/// learning rate and the gate, four of them through projections of low rank. Values of the model's first such layer are
/// mixed into those of the others.
///
/// - SeeAlso: Peng et al., "RWKV-7 Goose with Expressive Dynamic State Evolution", 2025.
struct RWKV7Mixer: CatalogueMixer {
  static let name = "rwkv7"
  /// For heads of 64 as large as 1e-5 for one value.
  private static let normEpsilon = 64e-5

  private let heads: Int
  private let width: Int
  private let mixtures: [Parameter]
  private let receptance: Linear
  private let key: Linear
  private let value: Linear
  private let output: Linear
  private let decay: LowRankProjection
  private let rate: LowRankProjection
  private let gate: LowRankProjection
  /// Nil in the first layer.
  private let residual: LowRankProjection?
  private let removal: Parameter
  private let keyRate: Parameter
  private let bonus: Parameter
  private let normWeight: Parameter
  private let normBias: Parameter

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    heads = shape.heads
    width = shape.keyWidth
    mixtures = try Self.streams.map { try named("x_" + $0) }
    receptance = Linear(weight: try named("receptance.weight"))
    key = Linear(weight: try named("key.weight"))
    value = Linear(weight: try named("value.weight"))
    output = Linear(weight: try named("output.weight"))
    decay = try LowRankProjection("w", named)
    rate = try LowRankProjection("a", named)
    gate = try LowRankProjection("g", hasOffset: false, named)
    residual = Self.isFirst(shape) ? nil : try LowRankProjection("v", named)
    removal = try named("k_k")
    keyRate = try named("k_a")
    bonus = try named("r_k")
    normWeight = try named("ln_x.weight")
    normBias = try named("ln_x.bias")
  }

  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    let kept = context.cache?.states(layer: layer) ?? []
    let (mixed, last) = streams(of: x, behind: kept.first, context)
    let (r, k) = (receptance(mixed[0], tape), key(mixed[2], tape))
    let v = values(mixed[3], context)
    let logDecay = tape.logGate(.rwkv7, decay(mixed[1], between: Self.tanh, tape))
    let rates = tape.activation(.sigmoid, rate(mixed[4], tape))
    let direction = tape.l2Normalize(
      headed(tape.apply(Self.scaledColumns, [k, row(removal, tape)])[0]), mode: .clamped, epsilon: 1e-12)
    let written = tape.apply(Self.writtenKey, [k, rates, row(keyRate, tape)])[0]
    let result = tape.rwkv7(
      receptance: headed(r), logDecay: headed(logDecay), key: headed(written), value: headed(v),
      removal: tape.scale(direction, by: -1),
      replacement: tape.apply(Self.product, [direction, headed(rates)])[0], initialState: kept.last,
      documents: context.documents)
    context.cache?.keep([last, result.finalState], layer: layer)
    let summed = tape.add(normalized(result.output, tape), ownValue(r, written, v, tape))
    let gates = gate(mixed[5], between: Self.sigmoid, tape)
    return output(tape.apply(Self.product, [summed, gates])[0], tape)
  }

  // MARK: Parts

  private static let tanh = Pointwise(PointwiseProgram(inputs: 1) { [$0[0].tanh()] })
  private static let sigmoid = Pointwise(PointwiseProgram(inputs: 1) { [Activation.sigmoid($0[0])] })
  private static let product = Pointwise(PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] })
  private static let scaledColumns = Pointwise(
    PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }, operands: [.init(0), .init(1, .row)])
  /// `k (1 + (a - 1) k_a)`.
  private static let writtenKey = Pointwise(
    PointwiseProgram(inputs: 3) { [$0[0] * (1 + ($0[1] - 1) * $0[2])] },
    operands: [.init(0), .init(1), .init(2, .row)])
  private static let affine = Pointwise(
    PointwiseProgram(inputs: 3) { [$0[0] * $0[1] + $0[2]] },
    operands: [.init(0), .init(1, .row), .init(2, .row)])
  /// `x + (before - x) mu` for every mu.
  private static let mixing = Pointwise(
    PointwiseProgram(inputs: 2 + streams.count) { inputs in
      inputs.dropFirst(2).map { inputs[0] + (inputs[1] - inputs[0]) * $0 }
    },
    operands: (0..<2 + streams.count).map { Pointwise.Operand($0, $0 < 2 ? .full : .row) })
  /// `v + (first - v) sigmoid(s)`.
  private static let valueMixing = Pointwise(
    PointwiseProgram(inputs: 3) { [$0[0] + ($0[1] - $0[0]) * Activation.sigmoid($0[2])] })

  private func row(_ parameter: Parameter, _ tape: Tape) -> Tensor {
    tape.parameter(parameter).reshaped(to: [parameter.shape.count])
  }

  /// [batch, time, heads, width] of [batch, time, heads width].
  private func headed(_ x: Tensor) -> Tensor { x.reshaped(to: [x.shape[0], x.shape[1], heads, width]) }

  /// The mixtures of every token with the one before it, 0 in front of a document, and the last token as a state.
  private func streams(of x: Tensor, behind last: Tensor?, _ context: ForwardContext) -> ([Tensor], Tensor) {
    let tape = context.tape
    let taps = Tensor(tape.device.allocate(2, of: .float32), shape: [2])
    tape.device.writeSmall([1, 0], to: taps.memory)
    let (before, state) = tape.causalConvolution(
      x, weight: tape.apply(RepeatRow(rows: x.shape.last), [taps])[0], activation: .none,
      initialState: last, documents: context.documents)
    return (tape.apply(Self.mixing, [x, before] + mixtures.map { row($0, tape) }), state)
  }

  private func values(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    let own = value(x, context.tape)
    guard let residual else {
      context.exchange.firstValue = own
      return own
    }
    guard let first = context.exchange.firstValue else { preconditionFailure("no layer left its values") }
    return context.tape.apply(Self.valueMixing, [own, first, residual(x, context.tape)])[0]
  }

  /// A layer norm per head, with a gain and an offset per channel: [batch, time, heads width].
  private func normalized(_ x: Tensor, _ tape: Tape) -> Tensor {
    let norm = tape.layerNorm(x, weight: nil, bias: nil, epsilon: Self.normEpsilon)
    return tape.apply(
      Self.affine,
      [
        norm.reshaped(to: [x.shape[0], x.shape[1], heads * width]), row(normWeight, tape),
        row(normBias, tape),
      ])[0]
  }

  /// The token's own value as often as its receptance meets its key: `(sum of r r_k k) v`.
  private func ownValue(_ receptance: Tensor, _ key: Tensor, _ value: Tensor, _ tape: Tape) -> Tensor {
    let weighted = headed(tape.apply(Self.scaledColumns, [receptance, row(bonus, tape)])[0])
    let share = tape.rowDots(weighted, headed(key))
    return tape.scaleRows(headed(value), by: share).reshaped(to: value.shape)
  }
}

/// `offset + f(x first) second`, weights stored [in, out].
private struct LowRankProjection {
  private let first: Linear
  private let second: Linear
  private let offset: Parameter?

  init(_ letter: String, hasOffset: Bool = true, _ named: (String) throws -> Parameter) throws {
    first = Linear(weight: try named(letter + "1"), isTransposed: true)
    second = Linear(weight: try named(letter + "2"), isTransposed: true)
    offset = hasOffset ? try named(letter + "0") : nil
  }

  func callAsFunction(_ x: Tensor, between function: Pointwise? = nil, _ tape: Tape) -> Tensor {
    var inner = first(x, tape)
    if let function { inner = tape.apply(function, [inner])[0] }
    let y = second(inner, tape)
    guard let offset else { return y }
    return tape.add(y, bias: tape.parameter(offset).reshaped(to: [offset.shape.count]))
  }
}
