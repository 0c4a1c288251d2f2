import CHost
public import Kernels

/// Short depthwise causal convolution over time: every channel is filtered by its own few taps.
///
/// `z_t = bias + sum over d < width of weight[width - 1 - d] x_{t-d}`, `y = activation(z)`
///
/// Inputs: x [batch, time, channels], weight [channels, width] (the last tap meets the present) and, where the
/// attributes say so, bias [channels], initial_state [batch, channels, width - 1] (the inputs before the first token,
/// the oldest first; zeros without) and documents int32 [batch, time]: taps do not reach across a place where the
/// number changes, and the initial state belongs to the first document. Outputs: y like x, and final_state, what a
/// next call that goes on with the last document needs. Decoding is a call with time 1.
///
/// - SeeAlso: Gu & Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023.
public struct CausalConvolution: DifferentiableOperation {
  /// What is applied to the filtered values.
  public enum Activation: String, Sendable, Hashable, CaseIterable {
    case none
    case silu
  }

  public static let name = "causal_conv1d"
  /// Number of taps.
  public let width: Int
  public let activation: Activation
  public let hasBias: Bool
  public let hasState: Bool
  public let hasDocuments: Bool

  /// - Parameters:
  ///   - width: Number of taps, 2 to 16.
  ///   - hasBias: A bias is among the inputs; likewise for the other flags.
  public init(
    width: Int, activation: Activation, hasBias: Bool = false, hasState: Bool = false,
    hasDocuments: Bool = false,
  ) {
    self.width = width
    self.activation = activation
    self.hasBias = hasBias
    self.hasState = hasState
    self.hasDocuments = hasDocuments
  }

  public var signature: String { "\(operands) > y [batch, time, channels], final_state \(stateShape)" }

  var stateShape: String { "[batch, channels, \(width - 1)]" }

  var operands: String {
    "x [batch, time, channels], weight [channels, \(width)]" + (hasBias ? ", bias [channels]" : "")
      + (hasState ? ", initial_state \(stateShape)" : "")
      + (hasDocuments ? ", documents: int32 [batch, time]" : "")
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    let demands = [
      ((2...Int(NIBBLE_CONVOLUTION_WIDTH)).contains(width), "\(width) taps are not between 2 and 16"),
      (inputs[0].shape.count > 0, "an axis is empty: x \(inputs[0])"),
    ]
    for (holds, problem) in demands where !holds {
      throw ShapeError(operation: Self.name, expected: signature, problem: problem)
    }
  }

  /// The optional operands of a list that begins with x, weight.
  func extras<Operand>(of operands: [Operand]) -> ConvolutionExtras<Operand> {
    var next = 2
    func take(_ isPresent: Bool) -> Operand? {
      guard isPresent else { return nil }
      defer { next += 1 }
      return operands[next]
    }
    return ConvolutionExtras(bias: take(hasBias), state: take(hasState), documents: take(hasDocuments))
  }

  /// Positions of the optional inputs.
  var biasPosition: Int? { hasBias ? 2 : nil }
  var statePosition: Int? { hasState ? (hasBias ? 3 : 2) : nil }
  var operandCount: Int { 2 + [hasBias, hasState, hasDocuments].count { $0 } }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let rows = ConvolutionReference(self, inputs)
    let (time, channels) = (inputs[0].shape[1], inputs[0].shape[2])
    for sequence in 0..<inputs[0].shape[0] {
      for channel in 0..<channels {
        for t in 0..<time {
          let z = rows.sum(sequence, t, channel)
          outputs[0][(sequence * time + t) * channels + channel] =
            activation == .silu ? z / (1 + Scalar.exp(-z)) : z
        }
        let reach = rows.reach(sequence, time - 1)
        for index in 0..<width - 1 {
          let back = width - 2 - index
          outputs[1][(sequence * channels + channel) * (width - 1) + index] =
            back <= reach ? rows.input(sequence, time - 1 - back, channel) : 0
        }
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let y = HostArray<Float>(outputs[0].memory), let final = HostArray<Float>(outputs[1].memory),
      let blocks = HostConvolution(self, inputs)
    else { return }
    device.threads.forRanges(blocks.count, grain: 1) { range in
      for index in range {
        var part = blocks.part(index)
        nibble_convolution_forward(&part.block, y.pointer + part.start, final.pointer + part.state)
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = ConvolutionLaunch(self, inputs[0].shape, on: device)
    typealias Operand = Buffer<Float>
    let kernel:
      Kernel<
        Operand, Operand, Operand, Operand, Buffer<Int32>, Operand, Operand, UInt32, UInt32, UInt32
      > = try device.kernel("causal_conv1d", in: "causal_conv1d", shape.definitions)
    let extras = extras(of: inputs)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(extras.bias?.memory),
      Buffer(extras.state?.memory), Buffer(extras.documents?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory), UInt32(inputs[0].shape[1]), UInt32(inputs[0].shape[2]),
      UInt32(ConvolutionLaunch.block), over: shape.geometry)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let count = Double(inputs[0].shape.count)
    return Cost(flops: count * Double(2 * width + (activation == .silu ? 4 : 0)), moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<operandCount)) }

  public func backward(_ context: GradientContext) {
    let shape = context.inputType(0).shape
    let final = context.cotangent(1)
    let gradient = CausalConvolutionGradient(
      of: self, sequences: shape[0], time: shape[1], hasFinalCotangent: final != nil)
    let inputs = (0..<operandCount).map { context.input($0) }
    let results = context.tape.apply(
      gradient, inputs + [context.cotangentOrZero(0)] + (final.map { [$0] } ?? []))
    context.add(results[0], to: 0)
    let weights = results[1].reshaped(to: [gradient.blocks, results[1].shape.count / gradient.blocks])
    context.add(SumRows(), [weights], to: 1)
    if let biasPosition { context.add(SumRows(), [results[2]], to: biasPosition) }
    if let statePosition, let dstate = results.last { context.add(dstate, to: statePosition) }
  }
}

/// The optional operands of the convolution.
struct ConvolutionExtras<Operand> {
  let bias: Operand?
  let state: Operand?
  let documents: Operand?
}

/// How the convolution is cut into work-groups.
struct ConvolutionLaunch {
  /// Tokens of one group, at least the number of taps.
  ///
  /// Part of the gradient's order of additions, so the same on every device.
  static let block = 128

  let definitions: [String: String]
  let geometry: Geometry

  init(_ operation: CausalConvolution, _ x: Shape, on device: OpenCLDevice) {
    let lanes = device.description.lanes(atMost: 64)
    definitions = device.description.partDefinitions(lanes: lanes).merging([
      "WIDTH": "\(operation.width)", "SILU": operation.activation == .silu ? "1" : "0",
    ]) { first, _ in first }
    let channels = lanes == 1 ? Int(NIBBLE_CONVOLUTION_CHANNELS) : lanes
    geometry = .groups(
      (x[2] + channels - 1) / channels, x[0] * ((x[1] + Self.block - 1) / Self.block))
  }
}

/// The convolution's blocks on the host: some tokens and channels of one sequence each.
struct HostConvolution: @unchecked Sendable {
  // Read only; the operation keeps the memory alive.
  private let whole: nibble_convolution
  private let channels: Int
  private let across: Int
  private let down: Int
  let count: Int

  /// One block, where its first token and channel lie, and its place among states and partial sums.
  struct Part {
    var block: nibble_convolution
    let start: Int
    let state: Int
    let partial: Int
  }

  init?(_ operation: CausalConvolution, _ inputs: [Tensor]) {
    let extras = operation.extras(of: inputs)
    guard let x = HostArray<Float>(inputs[0].memory), let weight = HostArray<Float>(inputs[1].memory) else {
      return nil
    }
    let shape = inputs[0].shape
    channels = shape[2]
    across = (shape[2] + Int(NIBBLE_CONVOLUTION_CHANNELS) - 1) / Int(NIBBLE_CONVOLUTION_CHANNELS)
    down = (shape[1] + ConvolutionLaunch.block - 1) / ConvolutionLaunch.block
    count = shape[0] * down * across
    whole = nibble_convolution(
      x: x.pointer, weight: weight.pointer,
      bias: extras.bias.flatMap { HostArray<Float>($0.memory)?.pointer },
      state: extras.state.flatMap { HostArray<Float>($0.memory)?.pointer },
      documents: extras.documents.flatMap { HostArray<Int32>($0.memory)?.pointer }, time: shape[1], first: 0,
      last: 0, stride: shape[2], count: 0, width: operation.width,
      silu: operation.activation == .silu ? 1 : 0)
  }

  func part(_ index: Int) -> Part {
    let channel = index % across * Int(NIBBLE_CONVOLUTION_CHANNELS)
    let (group, past) = (index / across, whole.width - 1)
    let sequence = group / down
    let start = sequence * whole.time * channels + channel
    let state = (sequence * channels + channel) * past
    var block = whole
    block.first = group % down * ConvolutionLaunch.block
    block.last = min(whole.time, block.first + ConvolutionLaunch.block)
    block.count = min(Int(NIBBLE_CONVOLUTION_CHANNELS), channels - channel)
    block.x = whole.x + start
    block.weight = whole.weight + channel * whole.width
    block.bias = whole.bias.map { $0 + channel }
    block.state = whole.state.map { $0 + state }
    block.documents = whole.documents.map { $0 + sequence * whole.time }
    return Part(block: block, start: start, state: state, partial: group * channels + channel)
  }
}

extension Tape {
  /// Short depthwise causal convolution over time; see ``CausalConvolution``.
  ///
  /// - Parameters:
  ///   - x: [batch, time, channels].
  ///   - weight: [channels, width], width 2 to 16.
  ///   - bias: [channels].
  ///   - initialState: [batch, channels, width - 1], the inputs before the first token; zeros without.
  ///   - documents: int32 [batch, time]; taps stay within runs of equal numbers.
  /// - Returns: y like x, and the state for a next call.
  public func causalConvolution(
    _ x: Tensor, weight: Tensor, bias: Tensor? = nil, activation: CausalConvolution.Activation,
    initialState: Tensor? = nil, documents: Tensor? = nil,
  ) -> (y: Tensor, finalState: Tensor) {
    let operation = CausalConvolution(
      width: weight.shape.last, activation: activation, hasBias: bias != nil, hasState: initialState != nil,
      hasDocuments: documents != nil)
    let outputs = apply(operation, [x, weight] + [bias, initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
