import CHost
public import Kernels

// The fused forms of GatedLinearAttention: `kernels/vector_gate*.cl`, on OpenCL devices and compiled for the host.

/// Sizes of one launch.
struct VectorGateLaunch {
  let size: RecurrenceExtents
  let configuration: ChunkConfiguration
  let groupHeads: Int

  /// Sequences up to this length go through the kernel that walks token by token.
  static let longestStep = 8

  init(_ inputs: [Tensor], _ configuration: ChunkConfiguration, units: Int) {
    size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    self.configuration = configuration
    groupHeads = configuration.groupHeads(size, units: units)
  }

  var groups: Int { size.batch * size.heads / groupHeads }
  private var block: Int { ChunkConfiguration.block }
  private var keys: Int { configuration.padded(size.width) }
  private var values: Int { configuration.padded(size.valueWidth) }
  private var stateCount: Int { keys * values }

  /// Floats of a group's scratch memory, as the kernels divide it up.
  var forwardScratch: Int { block * (6 * keys + 2 * values + block) + keys + groupHeads * stateCount }
  var backwardScratch: Int {
    block * (11 * keys + 5 * values + 2 * block) + 2 * keys + configuration.chunk
      + (configuration.blocksPerChunk + groupHeads) * stateCount
  }
  /// Floats of the states of one head in front of every chunk.
  var states: Int { configuration.chunks(size.time) * stateCount }

  /// Work-items of the token by token form.
  var stepGroups: Int { size.batch * size.heads * (values / configuration.vector) }

  /// The kernels' last integers.
  var time: Int32 { Int32(size.time) }
  var heads: Int32 { Int32(size.heads) }
  var width: Int32 { Int32(size.width) }
  var valueWidth: Int32 { Int32(size.valueWidth) }
}

extension GatedLinearAttention {
  public func workspace(_ inputs: [TensorType]) -> Int {
    RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape).workspace(forwardCopies: 5)
  }

  private typealias StepKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Int32, Int32, Int32, Int32, Float
  >
  private typealias ForwardKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, UInt64, Int32, Int32, Int32, Int32, Int32, Float
  >

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "vector_gate")
    let launch = VectorGateLaunch(inputs, configuration, units: device.description.computeUnits)
    let (initial, documents) = options.extras(of: inputs, from: Self.extrasPosition)
    if launch.size.time <= VectorGateLaunch.longestStep {
      let kernel: StepKernel = try device.kernel(
        "vector_gate_step", in: "vector_gate", configuration.definitions)
      return kernel(
        Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
        Buffer(inputs[3].memory),
        Buffer(documents?.memory), Buffer(initial?.memory), Buffer(outputs[0].memory),
        Buffer(outputs[1].memory),
        launch.time, launch.heads, launch.width, launch.valueWidth, options.scale,
        over: .groups(launch.stepGroups))
    }
    let scratch = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    let kernel: ForwardKernel = try device.kernel(
      "vector_gate_forward", in: "vector_gate", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory),
      Buffer(documents?.memory), Buffer(initial?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory),
      Buffer(scratch), UInt64(launch.forwardScratch), launch.time, launch.heads, launch.width,
      launch.valueWidth, Int32(launch.groupHeads), options.scale, over: .groups(launch.groups))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = VectorGateLaunch(inputs, .host, units: device.threads.count)
    let (initial, documents) = options.extras(of: inputs, from: Self.extrasPosition)
    let size = launch.size
    guard let query = HostArray<Float>(inputs[0].memory), let key = HostArray<Float>(inputs[1].memory),
      let value = HostArray<Float>(inputs[2].memory), let gates = HostArray<Float>(inputs[3].memory),
      let output = HostArray<Float>(outputs[0].memory), let final = HostArray<Float>(outputs[1].memory)
    else { return }
    let start = initial.flatMap { HostArray<Float>($0.memory) }
    let ids = documents.flatMap { HostArray<Int32>($0.memory) }
    if size.time <= VectorGateLaunch.longestStep {
      let grain = max(1, 8192 / max(1, size.width * size.time))
      return device.threads.forRanges(launch.stepGroups, grain: grain) { range in
        for group in range {
          nibble_select_group(UInt(group))
          nibble_vector_gate_step()(
            query.pointer, key.pointer, value.pointer, gates.pointer, ids?.pointer, start?.pointer,
            output.pointer, final.pointer, launch.time, launch.heads, launch.width, launch.valueWidth,
            options.scale)
        }
      }
    }
    let memory = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    defer { withExtendedLifetime(memory) {} }
    guard let scratch = HostArray<Float>(memory) else { return }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_vector_gate_forward()(
          query.pointer, key.pointer, value.pointer, gates.pointer, ids?.pointer, start?.pointer,
          output.pointer, final.pointer, scratch.pointer, UInt(launch.forwardScratch), launch.time,
          launch.heads, launch.width, launch.valueWidth, Int32(launch.groupHeads), options.scale)
      }
    }
  }
}

extension GatedLinearAttentionGradient {
  func workspace(_ inputs: [TensorType]) -> Int {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    let host = ChunkConfiguration.host
    return size.workspace(forwardCopies: 9)
      + size.stateBytes(chunks: host.chunks(size.time) + host.blocksPerChunk)
  }

  /// The optional operands: initial state, documents, cotangent of the final state, and where the initial state's
  /// gradient goes.
  private func optionals(
    _ inputs: [Tensor], _ outputs: [Tensor],
  ) -> (initial: Tensor?, documents: Tensor?, final: Tensor?, initialGradient: Tensor?) {
    let (initial, documents) = forward.options.extras(of: inputs, from: GatedLinearAttention.extrasPosition)
    return (
      initial, documents, hasFinalCotangent ? inputs[cotangentPosition + 1] : nil,
      forward.options.hasInitialState ? outputs[4] : nil
    )
  }

  private typealias BackwardKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    UInt64, Buffer<Float>, UInt64, Int32, Int32, Int32, Int32, Int32, Float
  >

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "vector_gate")
    let launch = VectorGateLaunch(inputs, configuration, units: device.description.computeUnits)
    let extra = optionals(inputs, outputs)
    let scratch = device.allocate(launch.groups * launch.backwardScratch, of: .float32)
    let states = device.allocate(launch.size.batch * launch.size.heads * launch.states, of: .float32)
    let kernel: BackwardKernel = try device.kernel(
      "vector_gate_backward", in: "vector_gate_backward", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory),
      Buffer(extra.documents?.memory), Buffer(extra.initial?.memory),
      Buffer(inputs[cotangentPosition].memory),
      Buffer(extra.final?.memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory),
      Buffer(outputs[2].memory), Buffer(outputs[3].memory), Buffer(extra.initialGradient?.memory),
      Buffer(scratch), UInt64(launch.backwardScratch), Buffer(states), UInt64(launch.states), launch.time,
      launch.heads, launch.width, launch.valueWidth, Int32(launch.groupHeads), forward.options.scale,
      over: .groups(launch.groups))
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = VectorGateLaunch(inputs, .host, units: device.threads.count)
    let extra = optionals(inputs, outputs)
    let memory = [
      device.allocate(launch.groups * launch.backwardScratch, of: .float32),
      device.allocate(launch.size.batch * launch.size.heads * launch.states, of: .float32),
    ]
    defer { withExtendedLifetime(memory) {} }
    guard let query = HostArray<Float>(inputs[0].memory), let key = HostArray<Float>(inputs[1].memory),
      let value = HostArray<Float>(inputs[2].memory), let gates = HostArray<Float>(inputs[3].memory),
      let cotangent = HostArray<Float>(inputs[cotangentPosition].memory),
      let dq = HostArray<Float>(outputs[0].memory), let dk = HostArray<Float>(outputs[1].memory),
      let dv = HostArray<Float>(outputs[2].memory), let dg = HostArray<Float>(outputs[3].memory),
      let scratch = HostArray<Float>(memory[0]),
      let states = HostArray<Float>(memory[1])
    else { return }
    let start = extra.initial.flatMap { HostArray<Float>($0.memory) }
    let ids = extra.documents.flatMap { HostArray<Int32>($0.memory) }
    let final = extra.final.flatMap { HostArray<Float>($0.memory) }
    let ds = extra.initialGradient.flatMap { HostArray<Float>($0.memory) }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_vector_gate_backward()(
          query.pointer, key.pointer, value.pointer, gates.pointer, ids?.pointer, start?.pointer,
          cotangent.pointer, final?.pointer, dq.pointer, dk.pointer, dv.pointer, dg.pointer, ds?.pointer,
          scratch.pointer, UInt(launch.backwardScratch), states.pointer, UInt(launch.states), launch.time,
          launch.heads, launch.width, launch.valueWidth, Int32(launch.groupHeads), forward.options.scale)
      }
    }
  }
}
