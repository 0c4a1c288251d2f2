import Glibc
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

  /// A bias of the convolution.
  public var hasConvolutionBias: Bool
  /// Biases of the projections.
  public var hasProjectionBias: Bool

  public init(
    stateSize: Int, groups: Int, convolution: Int, stepRange: ClosedRange<Double> = 0 ... .infinity,
    hasConvolutionBias: Bool = true, hasProjectionBias: Bool = false,
  ) {
    self.stateSize = stateSize
    self.groups = groups
    self.convolution = convolution
    self.stepRange = stepRange
    self.hasConvolutionBias = hasConvolutionBias
    self.hasProjectionBias = hasProjectionBias
  }
}

/// Mamba-2's layer: one projection gives the gate, what goes through the convolution, and the steps.
///
/// Tensors as in Mamba-2's checkpoints: `dt_bias`, `A_log`, `D` [heads], `conv1d` (`.weight` [channels, 1, taps], `.bias`),
/// `in_proj`, `norm.weight`, `out_proj`.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
struct Mamba2Mixer: CatalogueMixer {
  static let name = "mamba2"
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

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    let space = shape.stateSpace
    settings = space
    heads = shape.heads
    headDimension = shape.valueWidth
    epsilon = shape.normEpsilon
    func linear(_ name: String) throws -> Linear {
      Linear(
        weight: try named(name + ".weight"),
        bias: space.hasProjectionBias ? try named(name + ".bias") : nil)
    }
    input = try linear("in_proj")
    output = try linear("out_proj")
    convolution = try named("conv1d.weight")
    convolutionBias = space.hasConvolutionBias ? try named("conv1d.bias") : nil
    rate = try named("A_log")
    stepBias = try named("dt_bias")
    skip = try named("D")
    norm = try named("norm.weight")
  }

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let space = shape.stateSpace
    let inner = shape.heads * shape.valueWidth
    let channels = inner + 2 * space.groups * space.stateSize
    let rows = inner + channels + shape.heads
    var list: [MixerParameter] = [
      .vector("dt_bias", shape.heads, .stepBias),
      // A uniform in [1, 16].
      .vector("A_log", shape.heads, .uniform { log(1 + 15 * $0) }), .vector("D", shape.heads, .constant(1)),
      .convolution("conv1d", channels: channels, taps: space.convolution),
    ]
    if space.hasConvolutionBias { list.append(.vector("conv1d.bias", channels, .constant(0))) }
    list.append(.matrix("in_proj", rows, shape.modelDimension))
    if space.hasProjectionBias { list.append(.vector("in_proj.bias", rows, .constant(0))) }
    list.append(.vector("norm.weight", inner, .constant(1)))
    list.append(.matrix("out_proj", shape.modelDimension, inner))
    if space.hasProjectionBias { list.append(.vector("out_proj.bias", shape.modelDimension, .constant(0))) }
    return list
  }

  static func problems(_ shape: MixerShape) -> [String] {
    let space = shape.stateSpace
    let widths = 1...RecurrenceExtents.largestWidth
    let demands: [(Bool, String)] = [
      (
        (2...16).contains(space.convolution),
        "mamba2 has a convolution of 2 to 16 taps, not \(space.convolution)"
      ),
      (widths.contains(space.stateSize), "mamba2 has states of 1 to 1024 rows, not \(space.stateSize)"),
      (widths.contains(shape.valueWidth), "mamba2 has heads 1 to 1024 wide, not \(shape.valueWidth)"),
      (
        space.groups > 0 && shape.heads.isMultiple(of: max(1, space.groups)),
        "\(shape.heads) heads of mamba2 are no multiple of its \(space.groups) groups"
      ),
    ]
    return demands.filter { !$0.0 }.map(\.1)
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
    let decay = tape.inSinglePrecision {
      tape.apply(Self.negativeExponential, [tape.parameter(rate)])[0]
    }
    let (mixed, state) = tape.stateSpaceDual(
      x: operands[0].reshaped(to: [batch, time, heads, headDimension]), step: steps(parts[2], tape),
      decay: decay,
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
    return tape.inSinglePrecision { tape.apply(Pointwise(program), [steps])[0] }
  }

  /// `rms(y silu(gate)) weight` over the channels of each group, as the model was trained.
  ///
  /// The transformers library's fallback without Mamba's own kernels takes the mean over all groups instead.
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
