import Kernels

/// What a state space layer has besides heads.
public struct StateSpaceSettings: Sendable, Equatable {
  /// Rows of a head's state.
  public var stateSize: Int
  /// Groups of neighbouring heads that share how they write and read.
  public var groups: Int
  /// Taps of the causal convolution.
  public var convolution: Int
  /// Steps behind the softplus are kept within these bounds.
  public var stepRange: ClosedRange<Double>

  public init(stateSize: Int, groups: Int, convolution: Int, stepRange: ClosedRange<Double>) {
    self.stateSize = stateSize
    self.groups = groups
    self.convolution = convolution
    self.stepRange = stepRange
  }
}

/// Mamba-2's layer: one projection gives the gate, what goes through the convolution, and the steps.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
struct Mamba2Mixer: Mixer {
  private let input: Linear
  private let output: Linear
  private let convolution: Parameter
  private let convolutionBias: Parameter?
  private let rate: Parameter
  private let stepBias: Parameter
  private let skip: Parameter
  private let norm: Parameter
  private let heads: Int
  private let headDimension: Int
  private let settings: StateSpaceSettings
  private let epsilon: Double

  init(
    _ configuration: ModelConfiguration, _ settings: StateSpaceSettings, prefix: String,
    _ named: NamedParameters,
  ) throws {
    self.settings = settings
    heads = configuration.heads
    headDimension = configuration.headDimension
    epsilon = configuration.normEpsilon
    input = try named.linear(prefix + "in_proj")
    output = try named.linear(prefix + "out_proj")
    convolution = try named(prefix + "conv1d.weight")
    convolutionBias = named.optional(prefix + "conv1d.bias")
    rate = try named(prefix + "A_log")
    stepBias = try named(prefix + "dt_bias")
    skip = try named(prefix + "D")
    norm = try named(prefix + "norm.weight")
  }

  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    let (batch, time) = (x.shape[0], x.shape[1])
    let (inner, shared) = (heads * headDimension, settings.groups * settings.stateSize)
    let parts = tape.apply(SplitColumns(widths: [inner, inner + 2 * shared, heads]), [input(x, tape)])
    let kept = context.cache?.states(layer: layer) ?? []
    let (filtered, inputs) = tape.causalConvolution(
      parts[1],
      weight: tape.parameter(convolution).reshaped(to: [inner + 2 * shared, settings.convolution]),
      bias: convolutionBias.map { tape.parameter($0) }, activation: .silu, initialState: kept.first,
      documents: context.documents)
    let operands = tape.apply(SplitColumns(widths: [inner, shared, shared]), [filtered])
    let (mixed, state) = tape.stateSpaceDual(
      x: operands[0].reshaped(to: [batch, time, heads, headDimension]), step: steps(parts[2], tape),
      decay: tape.apply(Self.negativeExponential, [tape.parameter(rate)])[0],
      write: operands[1].reshaped(to: [batch, time, settings.groups, settings.stateSize]),
      read: operands[2].reshaped(to: [batch, time, settings.groups, settings.stateSize]),
      skip: tape.parameter(skip), initialState: kept.last, documents: context.documents)
    context.cache?.keep([inputs, state], layer: layer)
    return output(gated(mixed.reshaped(to: [batch, time, inner]), by: parts[0], tape), tape)
  }

  private static let negativeExponential = Pointwise(PointwiseProgram(inputs: 1) { [-$0[0].exp()] })

  /// dt [batch, time, heads].
  private func steps(_ raw: Tensor, _ tape: Tape) -> Tensor {
    let steps = tape.softplus(raw, bias: tape.parameter(stepBias))
    let range = settings.stepRange
    guard range.lowerBound > 0 || range.upperBound.isFinite else { return steps }
    let program = PointwiseProgram(inputs: 1) { values in
      let low = values[0].maximum(values[0].constant(range.lowerBound))
      return [range.upperBound.isFinite ? low.minimum(low.constant(range.upperBound)) : low]
    }
    return tape.apply(Pointwise(program), [steps])[0]
  }

  /// `rms(y silu(gate)) weight` over the channels of each group.
  private func gated(_ y: Tensor, by gate: Tensor, _ tape: Tape) -> Tensor {
    let weight = tape.parameter(norm)
    guard settings.groups > 1 else {
      return tape.gatedRMSNorm(y, gate: gate, weight: weight, epsilon: epsilon, order: .gateThenNorm)
    }
    let width = y.shape.last / settings.groups
    let shape = Shape(Array(y.shape.dimensions.dropLast()) + [settings.groups, width])
    let normalized = tape.gatedRMSNorm(
      y.reshaped(to: shape), gate: gate.reshaped(to: shape), weight: tape.filled([width], with: 1),
      epsilon: epsilon, order: .gateThenNorm)
    let program = PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }
    return tape.apply(
      Pointwise(program, operands: [.init(0), .init(1, .row)]), [normalized.reshaped(to: y.shape), weight])[0]
  }
}
