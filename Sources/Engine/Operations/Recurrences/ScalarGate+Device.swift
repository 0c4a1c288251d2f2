import CHost
public import Kernels

// The fused forms of ScalarGatedLinearAttention: `kernels/scalar_gate.cl`, on OpenCL devices and compiled for the host.

/// Sizes of one launch.
struct ScalarGateLaunch {
  let size: RecurrenceExtents
  let configuration: ChunkConfiguration
  let groupHeads: Int
  let gatesByToken: Int32
  let scale: Float

  /// Sequences up to this length go through the kernel that walks token by token.
  static let longestStep = 8

  init(
    _ operation: ScalarGatedLinearAttention, _ inputs: [Tensor], _ configuration: ChunkConfiguration,
    units: Int,
  ) {
    size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    self.configuration = configuration
    groupHeads = configuration.groupHeads(size, units: units)
    gatesByToken = operation.gate == .perToken ? 1 : 0
    scale = operation.options.scale
  }

  var groups: Int { size.batch * size.heads / groupHeads }
  private var chunk: Int { configuration.chunk }
  private var keys: Int { configuration.padded(size.width) }
  private var values: Int { configuration.padded(size.valueWidth) }
  private var stateCount: Int { keys * values }

  /// Floats of a group's scratch memory, as the kernels divide it up.
  var forwardScratch: Int {
    chunk * (5 + 3 * keys + 2 * values + chunk) + groupHeads * stateCount
  }
  var backwardScratch: Int {
    chunk * (6 + 5 * keys + 4 * values + 2 * chunk) + values + (1 + groupHeads) * stateCount
  }
  /// Floats of the states of one head in front of every chunk and behind the last.
  var states: Int { (configuration.chunks(size.time) + 1) * stateCount }

  /// Work-items of the token by token form.
  var stepGroups: Int { size.batch * size.heads * (values / configuration.vector) }
}

extension ScalarGatedLinearAttention {
  public func workspace(_ inputs: [TensorType]) -> Int {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    return size.workspace(forwardCopies: 5)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "scalar_gate")
    let launch = ScalarGateLaunch(self, inputs, configuration, units: device.description.computeUnits)
    let (initial, documents) = options.extras(of: inputs, from: extrasPosition)
    let gates = Buffer<Float>(gate == .none ? nil : inputs[3].memory)
    let size = launch.size
    if size.time <= ScalarGateLaunch.longestStep {
      let kernel:
        Kernel<
          Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>,
          Buffer<Float>,
          Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Float
        > = try device.kernel("scalar_gate_step", in: "scalar_gate", configuration.definitions)
      return kernel(
        Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), gates,
        Buffer(documents?.memory), Buffer(initial?.memory), Buffer(outputs[0].memory),
        Buffer(outputs[1].memory),
        Int32(size.batch), Int32(size.time), Int32(size.heads), Int32(size.keyHeads), Int32(size.width),
        Int32(size.valueWidth), launch.gatesByToken, launch.scale, over: .groups(launch.stepGroups))
    }
    let scratch = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>,
        Buffer<Float>,
        Buffer<Float>, Buffer<Float>, UInt64, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Float
      > = try device.kernel("scalar_gate_forward", in: "scalar_gate", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), gates,
      Buffer(documents?.memory), Buffer(initial?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory),
      Buffer(scratch), UInt64(launch.forwardScratch), Int32(size.time), Int32(size.heads),
      Int32(size.keyHeads),
      Int32(size.width), Int32(size.valueWidth), Int32(launch.groupHeads), launch.gatesByToken, launch.scale,
      over: .groups(launch.groups))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = ScalarGateLaunch(self, inputs, .host, units: device.threads.count)
    let (initial, documents) = options.extras(of: inputs, from: extrasPosition)
    let size = launch.size
    guard let query = HostArray<Float>(inputs[0].memory), let key = HostArray<Float>(inputs[1].memory),
      let value = HostArray<Float>(inputs[2].memory), let output = HostArray<Float>(outputs[0].memory),
      let final = HostArray<Float>(outputs[1].memory)
    else { return }
    let gates = gate == .none ? nil : HostArray<Float>(inputs[3].memory)
    let start = initial.flatMap { HostArray<Float>($0.memory) }
    let ids = documents.flatMap { HostArray<Int32>($0.memory) }
    if size.time <= ScalarGateLaunch.longestStep {
      let groups = launch.stepGroups
      return device.threads.forRanges(groups, grain: max(1, 8192 / max(1, size.width * size.time))) { range in
        for group in range {
          nibble_select_group(UInt(group))
          nibble_scalar_gate_step()(
            query.pointer, key.pointer, value.pointer, gates?.pointer, ids?.pointer, start?.pointer,
            output.pointer,
            final.pointer, Int32(size.batch), Int32(size.time), Int32(size.heads), Int32(size.keyHeads),
            Int32(size.width), Int32(size.valueWidth), launch.gatesByToken, launch.scale)
        }
      }
    }
    let memory = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    defer { withExtendedLifetime(memory) {} }
    guard let scratch = HostArray<Float>(memory) else { return }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_scalar_gate_forward()(
          query.pointer, key.pointer, value.pointer, gates?.pointer, ids?.pointer, start?.pointer,
          output.pointer,
          final.pointer, scratch.pointer, UInt(launch.forwardScratch), Int32(size.time), Int32(size.heads),
          Int32(size.keyHeads), Int32(size.width), Int32(size.valueWidth), Int32(launch.groupHeads),
          launch.gatesByToken, launch.scale)
      }
    }
  }
}

extension ScalarGatedLinearAttentionGradient {
  func workspace(_ inputs: [TensorType]) -> Int {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    return size.workspace(forwardCopies: 9)
      + size.stateBytes(chunks: ChunkConfiguration.host.chunks(size.time) + 1)
  }

  /// The optional operands: initial state, documents, cotangent of the final state, and where the initial state's gradient
  /// goes.
  private func optionals(
    _ inputs: [Tensor], _ outputs: [Tensor],
  ) -> (initial: Tensor?, documents: Tensor?, final: Tensor?, initialGradient: Tensor?) {
    let (initial, documents) = forward.options.extras(of: inputs, from: forward.extrasPosition)
    return (
      initial, documents, hasFinalCotangent ? inputs[cotangentPosition + 1] : nil,
      forward.options.hasInitialState ? outputs.last : nil
    )
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "scalar_gate")
    let launch = ScalarGateLaunch(forward, inputs, configuration, units: device.description.computeUnits)
    let size = launch.size
    let extra = optionals(inputs, outputs)
    let scratch = device.allocate(launch.groups * launch.backwardScratch, of: .float32)
    let states = device.allocate(size.batch * size.heads * launch.states, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>,
        Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>,
        UInt64, Buffer<Float>, UInt64, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Float
      > = try device.kernel("scalar_gate_backward", in: "scalar_gate", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(forward.gate == .none ? nil : inputs[3].memory), Buffer(extra.documents?.memory),
      Buffer(extra.initial?.memory), Buffer(inputs[cotangentPosition].memory), Buffer(extra.final?.memory),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Buffer(outputs[2].memory),
      Buffer(needsGate ? outputs[3].memory : nil), Buffer(extra.initialGradient?.memory), Buffer(scratch),
      UInt64(launch.backwardScratch), Buffer(states), UInt64(launch.states), Int32(size.time),
      Int32(size.heads),
      Int32(size.keyHeads), Int32(size.width), Int32(size.valueWidth), Int32(launch.groupHeads),
      launch.gatesByToken, launch.scale, over: .groups(launch.groups))
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = ScalarGateLaunch(forward, inputs, .host, units: device.threads.count)
    let size = launch.size
    let extra = optionals(inputs, outputs)
    let memory = [
      device.allocate(launch.groups * launch.backwardScratch, of: .float32),
      device.allocate(size.batch * size.heads * launch.states, of: .float32),
    ]
    defer { withExtendedLifetime(memory) {} }
    guard let query = HostArray<Float>(inputs[0].memory), let key = HostArray<Float>(inputs[1].memory),
      let value = HostArray<Float>(inputs[2].memory),
      let cotangent = HostArray<Float>(inputs[cotangentPosition].memory),
      let dq = HostArray<Float>(outputs[0].memory),
      let dk = HostArray<Float>(outputs[1].memory), let dv = HostArray<Float>(outputs[2].memory),
      let scratch = HostArray<Float>(memory[0]),
      let states = HostArray<Float>(memory[1])
    else { return }
    let gates = forward.gate == .none ? nil : HostArray<Float>(inputs[3].memory)
    let start = extra.initial.flatMap { HostArray<Float>($0.memory) }
    let ids = extra.documents.flatMap { HostArray<Int32>($0.memory) }
    let final = extra.final.flatMap { HostArray<Float>($0.memory) }
    let dg = needsGate ? HostArray<Float>(outputs[3].memory) : nil
    let ds = extra.initialGradient.flatMap { HostArray<Float>($0.memory) }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_scalar_gate_backward()(
          query.pointer, key.pointer, value.pointer, gates?.pointer, ids?.pointer, start?.pointer,
          cotangent.pointer,
          final?.pointer, dq.pointer, dk.pointer, dv.pointer, dg?.pointer, ds?.pointer, scratch.pointer,
          UInt(launch.backwardScratch), states.pointer, UInt(launch.states), Int32(size.time),
          Int32(size.heads),
          Int32(size.keyHeads), Int32(size.width), Int32(size.valueWidth), Int32(launch.groupHeads),
          launch.gatesByToken, launch.scale)
      }
    }
  }
}
