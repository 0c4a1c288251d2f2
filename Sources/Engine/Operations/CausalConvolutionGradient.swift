import CHost
import Kernels

/// The fused backward of ``CausalConvolution``: one pass gives dx, the initial state's gradient, and per block of
/// tokens the sums of the parameters' gradients, which ``SumRows`` adds up.
///
/// Inputs: those of the forward, dy and, with its cotangent, dfinal. Outputs: dx, dweight [blocks, channels, width] and
/// where the forward has them dbias [blocks, channels] and dstate.
struct CausalConvolutionGradient: Operation {
  static let name = "causal_conv1d_gradient"
  let forward: CausalConvolution
  /// Partial sums of the parameters' gradients.
  let blocks: Int
  let hasFinalCotangent: Bool

  init(of forward: CausalConvolution, sequences: Int, time: Int, hasFinalCotangent: Bool) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
    blocks = sequences * ((time + ConvolutionLaunch.block - 1) / ConvolutionLaunch.block)
  }

  var signature: String {
    let inputs =
      "\(forward.operands), dy [batch, time, channels]"
      + (hasFinalCotangent ? ", dfinal \(forward.stateShape)" : "")
    let outputs =
      "dx [batch, time, channels], dweight [\(blocks), channels, \(forward.width)]"
      + (forward.hasBias ? ", dbias [\(blocks), channels]" : "")
      + (forward.hasState ? ", dstate \(forward.stateShape)" : "")
    return "\(inputs) > \(outputs)"
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try forward.validate(inputs)
    let shape = inputs[0].shape
    let expected = CausalConvolutionGradient(
      of: forward, sequences: shape[0], time: shape[1], hasFinalCotangent: false)
    guard expected.blocks == blocks else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "x \(shape) has \(expected.blocks) blocks of tokens, not \(blocks)")
    }
  }

  private func cotangents<Operand>(of inputs: [Operand]) -> (dy: Operand, final: Operand?) {
    (inputs[forward.operandCount], hasFinalCotangent ? inputs[forward.operandCount + 1] : nil)
  }

  private func bias<Operand>(of outputs: [Operand]) -> Operand? { forward.hasBias ? outputs[2] : nil }
  private func state<Operand>(of outputs: [Operand]) -> Operand? { forward.hasState ? outputs.last : nil }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in outputs.indices {
      outputs[index].values = [Scalar](repeating: 0, count: outputs[index].values.count)
    }
    for sequence in 0..<inputs[0].shape[0] {
      for channel in 0..<inputs[0].shape[2] { reference(inputs, &outputs, sequence, channel) }
    }
  }

  private func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>], _ sequence: Int,
    _ channel: Int,
  ) {
    let rows = ConvolutionReference(forward, inputs)
    let (time, channels, width) = (inputs[0].shape[1], inputs[0].shape[2], forward.width)
    let (dy, final) = cotangents(of: inputs)
    let last = outputs.count - 1
    func add(_ value: Scalar, at position: Int) {
      if position >= 0 {
        outputs[0][(sequence * time + position) * channels + channel] += value
      } else if forward.hasState {
        outputs[last][(sequence * channels + channel) * (width - 1) + position + width - 1] += value
      }
    }
    for t in 0..<time {
      var d = dy[(sequence * time + t) * channels + channel]
      if forward.activation == .silu {
        let z = rows.sum(sequence, t, channel)
        let s = 1 / (1 + Scalar.exp(-z))
        d *= s * (1 + z * (1 - s))
      }
      let block = sequence * (blocks / inputs[0].shape[0]) + t / ConvolutionLaunch.block
      for back in 0...rows.reach(sequence, t) {
        let tap = width - 1 - back
        add(d * inputs[1][channel * width + tap], at: t - back)
        outputs[1][(block * channels + channel) * width + tap] += d * rows.input(sequence, t - back, channel)
      }
      if forward.hasBias { outputs[2][block * channels + channel] += d }
    }
    guard let final else { return }
    let reach = rows.reach(sequence, time - 1)
    for index in 0..<width - 1 where width - 2 - index <= reach {
      add(final[(sequence * channels + channel) * (width - 1) + index], at: time - width + 1 + index)
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (cotangent, finalCotangent) = cotangents(of: inputs)
    guard let blocks = HostConvolution(forward, inputs), let dy = HostArray<Float>(cotangent.memory),
      let dx = HostArray<Float>(outputs[0].memory), let dweight = HostArray<Float>(outputs[1].memory)
    else { return }
    let final = finalCotangent.flatMap { HostArray<Float>($0.memory) }
    let dbias = bias(of: outputs).flatMap { HostArray<Float>($0.memory) }
    let dstate = state(of: outputs).flatMap { HostArray<Float>($0.memory) }
    let width = forward.width
    device.threads.forRanges(blocks.count, grain: 1) { range in
      for index in range {
        var part = blocks.part(index)
        var gradient = nibble_convolution_gradient(
          dy: dy.pointer + part.start, dfinal: final.map { UnsafePointer($0.pointer + part.state) },
          dx: dx.pointer + part.start, dweight: dweight.pointer + part.partial * width,
          dbias: dbias.map { $0.pointer + part.partial }, dstate: dstate.map { $0.pointer + part.state })
        nibble_convolution_backward(&part.block, &gradient)
      }
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = ConvolutionLaunch(forward, inputs[0].shape, on: device)
    typealias Operand = Buffer<Float>
    let kernel:
      Kernel<
        Operand, Operand, Operand, Operand, Buffer<Int32>, Operand, Operand, Operand, Operand, Operand,
        Operand, UInt32, UInt32, UInt32
      > = try device.kernel("causal_conv1d_backward", in: "causal_conv1d_backward", shape.definitions)
    let extras = forward.extras(of: inputs)
    let (dy, final) = cotangents(of: inputs)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(extras.bias?.memory),
      Buffer(extras.state?.memory), Buffer(extras.documents?.memory), Buffer(dy.memory),
      Buffer(final?.memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory),
      Buffer(bias(of: outputs)?.memory), Buffer(state(of: outputs)?.memory), UInt32(inputs[0].shape[1]),
      UInt32(inputs[0].shape[2]), UInt32(ConvolutionLaunch.block), over: shape.geometry)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let count = Double(inputs[0].shape.count)
    let activation = forward.activation == .silu ? 2 * forward.width + 8 : 0
    return Cost(flops: count * Double(4 * forward.width + 1 + activation), moving: inputs + outputs)
  }
}

/// What the references read: inputs by position, with the state before the sequence.
struct ConvolutionReference<Scalar: ReferenceScalar> {
  private let operation: CausalConvolution
  private let x: ReferenceTensor<Scalar>
  private let weight: ReferenceTensor<Scalar>
  private let extras: ConvolutionExtras<ReferenceTensor<Scalar>>
  private var past: Int { operation.width - 1 }

  init(_ operation: CausalConvolution, _ inputs: [ReferenceTensor<Scalar>]) {
    self.operation = operation
    (x, weight) = (inputs[0], inputs[1])
    extras = operation.extras(of: inputs)
  }

  /// Earlier positions that token t reads.
  func reach(_ sequence: Int, _ t: Int) -> Int {
    for back in 1...past {
      if back > t { return operation.hasState ? past : back - 1 }
      let place = sequence * x.shape[1] + t - back
      if let documents = extras.documents, documents[place] != documents[place + 1] { return back - 1 }
    }
    return past
  }

  func input(_ sequence: Int, _ position: Int, _ channel: Int) -> Scalar {
    if position >= 0 { return x[(sequence * x.shape[1] + position) * x.shape[2] + channel] }
    return extras.state.map { $0[(sequence * x.shape[2] + channel) * past + position + past] } ?? 0
  }

  /// The value before the activation.
  func sum(_ sequence: Int, _ t: Int, _ channel: Int) -> Scalar {
    var z = extras.bias.map { $0[channel] } ?? 0
    for back in (0...reach(sequence, t)).reversed() {
      z += weight[channel * operation.width + past - back] * input(sequence, t - back, channel)
    }
    return z
  }
}
