import CHost
public import Kernels

// The fused forms of RWKV7: `kernels/rwkv7*.cl`, on OpenCL devices and compiled for the host.

/// Sizes of one launch.
struct RWKV7Launch {
  let size: RecurrenceExtents
  let configuration: ChunkConfiguration
  let groupHeads: Int

  init(_ inputs: [Tensor], _ configuration: ChunkConfiguration, units: Int) {
    size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    self.configuration = configuration
    groupHeads = configuration.groupHeads(size, units: units)
  }

  var groups: Int { size.batch * size.heads / groupHeads }
  private var block: Int { ChunkConfiguration.block }
  private var pair: Int { 2 * block }
  private var keys: Int { configuration.padded(size.width) }
  private var values: Int { configuration.padded(size.valueWidth) }
  private var stateCount: Int { keys * values }

  /// Floats of a group's scratch memory, as the kernels divide it up: `PAIR_BLOCK_FLOATS` and states.
  var forwardScratch: Int { blockFloats + groupHeads * stateCount }
  private var blockFloats: Int {
    (3 * block + 3 * pair + 2) * keys + 3 * block * values + (pair + 1) * pair
  }
  var backwardScratch: Int {
    let rowGradients = (3 * pair + 2 * block + 2) * keys
    let valueGradients = (3 * block + 2 * pair) * values
    return blockFloats + rowGradients + valueGradients + (pair + 1) * pair + configuration.chunk
      + (configuration.blocksPerChunk + groupHeads) * stateCount
  }
  /// Floats of the states of one head in front of every chunk and behind the last.
  var states: Int { (configuration.chunks(size.time) + 1) * stateCount }
  /// Floats of what the removals read, of all heads.
  var readValues: Int { size.batch * size.heads * size.time * values }

  /// Work-items of the token by token form.
  var stepGroups: Int { size.batch * size.heads * (values / configuration.vector) }

  /// The kernels' last integers.
  var time: Int32 { Int32(size.time) }
  var heads: Int32 { Int32(size.heads) }
  var width: Int32 { Int32(size.width) }
  var valueWidth: Int32 { Int32(size.valueWidth) }
}

extension RWKV7 {
  public func workspace(_ inputs: [TensorType]) -> Int {
    RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape).workspace(forwardCopies: 6)
  }

  private typealias StepKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float
  >
  private typealias ForwardKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt64, Int32, Int32, Int32, Int32, Int32,
    Float
  >

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "rwkv7")
    let launch = RWKV7Launch(inputs, configuration, units: device.description.computeUnits)
    let (initial, documents) = options.extras(of: inputs, from: Self.extrasPosition)
    let operands = inputs.prefix(Self.extrasPosition).map { Buffer<Float>($0.memory) }
    let results = outputs.map { Buffer<Float>($0.memory) }
    if launch.size.time <= VectorGateLaunch.longestStep {
      let kernel: StepKernel = try device.kernel("rwkv7_step", in: "rwkv7", configuration.definitions)
      return kernel(
        operands[0], operands[1], operands[2], operands[3], operands[4], operands[5],
        Buffer(documents?.memory), Buffer(initial?.memory), results[0], results[1], launch.time, launch.heads,
        launch.width, launch.valueWidth, options.scale, over: .groups(launch.stepGroups))
    }
    let scratch = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    let kernel: ForwardKernel = try device.kernel("rwkv7_forward", in: "rwkv7", configuration.definitions)
    kernel(
      operands[0], operands[1], operands[2], operands[3], operands[4], operands[5],
      Buffer(documents?.memory), Buffer(initial?.memory), results[0], results[1], Buffer(scratch),
      UInt64(launch.forwardScratch), launch.time, launch.heads, launch.width, launch.valueWidth,
      Int32(launch.groupHeads), options.scale, over: .groups(launch.groups))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RWKV7Launch(inputs, .host, units: device.threads.count)
    let (initial, documents) = options.extras(of: inputs, from: Self.extrasPosition)
    let size = launch.size
    guard let receptance = HostArray<Float>(inputs[0].memory), let decay = HostArray<Float>(inputs[1].memory),
      let key = HostArray<Float>(inputs[2].memory), let removal = HostArray<Float>(inputs[3].memory),
      let replacement = HostArray<Float>(inputs[4].memory), let value = HostArray<Float>(inputs[5].memory),
      let output = HostArray<Float>(outputs[0].memory), let final = HostArray<Float>(outputs[1].memory)
    else { return }
    let start = initial.flatMap { HostArray<Float>($0.memory) }
    let ids = documents.flatMap { HostArray<Int32>($0.memory) }
    if size.time <= VectorGateLaunch.longestStep {
      let grain = max(1, 8192 / max(1, size.width * size.time))
      return device.threads.forRanges(launch.stepGroups, grain: grain) { range in
        for group in range {
          nibble_select_group(UInt(group))
          nibble_rwkv7_step()(
            receptance.pointer, decay.pointer, key.pointer, removal.pointer, replacement.pointer,
            value.pointer, ids?.pointer, start?.pointer, output.pointer, final.pointer, launch.time,
            launch.heads, launch.width, launch.valueWidth, options.scale)
        }
      }
    }
    let memory = device.allocate(launch.groups * launch.forwardScratch, of: .float32)
    defer { withExtendedLifetime(memory) {} }
    guard let scratch = HostArray<Float>(memory) else { return }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_rwkv7_forward()(
          receptance.pointer, decay.pointer, key.pointer, removal.pointer, replacement.pointer, value.pointer,
          ids?.pointer, start?.pointer, output.pointer, final.pointer, scratch.pointer,
          UInt(launch.forwardScratch), launch.time, launch.heads, launch.width, launch.valueWidth,
          Int32(launch.groupHeads), options.scale)
      }
    }
  }
}

extension RWKV7Gradient {
  func workspace(_ inputs: [TensorType]) -> Int {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    let host = ChunkConfiguration.host
    return size.workspace(forwardCopies: 10)
      + size.stateBytes(chunks: host.chunks(size.time) + 1 + host.blocksPerChunk) + inputs[5].byteCount
  }

  /// The optional operands: initial state, documents, cotangent of the final state, and where the initial state's
  /// gradient goes.
  private func optionals(
    _ inputs: [Tensor], _ outputs: [Tensor],
  ) -> (initial: Tensor?, documents: Tensor?, final: Tensor?, initialGradient: Tensor?) {
    let (initial, documents) = forward.options.extras(of: inputs, from: RWKV7.extrasPosition)
    return (
      initial, documents, hasFinalCotangent ? inputs[cotangentPosition + 1] : nil,
      forward.options.hasInitialState ? outputs[RWKV7.extrasPosition] : nil
    )
  }

  private typealias BackwardKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt64, Buffer<Float>, UInt64, Buffer<Float>,
    Int32, Int32, Int32, Int32, Int32, Float
  >

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let configuration = device.configuration(ChunkConfiguration.self, for: "rwkv7")
    let launch = RWKV7Launch(inputs, configuration, units: device.description.computeUnits)
    let extra = optionals(inputs, outputs)
    let operands = inputs.prefix(RWKV7.extrasPosition).map { Buffer<Float>($0.memory) }
    let results = outputs.map { Buffer<Float>($0.memory) }
    let scratch = device.allocate(launch.groups * launch.backwardScratch, of: .float32)
    let states = device.allocate(launch.size.batch * launch.size.heads * launch.states, of: .float32)
    let reads = device.allocate(launch.readValues, of: .float32)
    let kernel: BackwardKernel = try device.kernel(
      "rwkv7_backward", in: "rwkv7_backward", configuration.definitions)
    kernel(
      operands[0], operands[1], operands[2], operands[3], operands[4], operands[5],
      Buffer(extra.documents?.memory), Buffer(extra.initial?.memory),
      Buffer(inputs[cotangentPosition].memory),
      Buffer(extra.final?.memory), results[0], results[1], results[2], results[3], results[4], results[5],
      Buffer(extra.initialGradient?.memory), Buffer(scratch), UInt64(launch.backwardScratch), Buffer(states),
      UInt64(launch.states), Buffer(reads), launch.time, launch.heads, launch.width, launch.valueWidth,
      Int32(launch.groupHeads), forward.options.scale, over: .groups(launch.groups))
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RWKV7Launch(inputs, .host, units: device.threads.count)
    let size = launch.size
    let extra = optionals(inputs, outputs)
    let operands = (0..<RWKV7.extrasPosition).compactMap { HostArray<Float>(inputs[$0].memory) }
    let results = (0..<RWKV7.extrasPosition).compactMap { HostArray<Float>(outputs[$0].memory) }
    let memory = [
      device.allocate(launch.groups * launch.backwardScratch, of: .float32),
      device.allocate(size.batch * size.heads * launch.states, of: .float32),
      device.allocate(launch.readValues, of: .float32),
    ]
    defer { withExtendedLifetime(memory) {} }
    guard operands.count == RWKV7.extrasPosition, results.count == RWKV7.extrasPosition,
      let cotangent = HostArray<Float>(inputs[cotangentPosition].memory),
      let scratch = HostArray<Float>(memory[0]),
      let states = HostArray<Float>(memory[1]),
      let reads = HostArray<Float>(memory[2])
    else { return }
    let start = extra.initial.flatMap { HostArray<Float>($0.memory) }
    let ids = extra.documents.flatMap { HostArray<Int32>($0.memory) }
    let final = extra.final.flatMap { HostArray<Float>($0.memory) }
    let ds = extra.initialGradient.flatMap { HostArray<Float>($0.memory) }
    device.threads.forRanges(launch.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        nibble_rwkv7_backward()(
          operands[0].pointer, operands[1].pointer, operands[2].pointer, operands[3].pointer,
          operands[4].pointer, operands[5].pointer, ids?.pointer,
          start?.pointer, cotangent.pointer, final?.pointer, results[0].pointer, results[1].pointer,
          results[2].pointer, results[3].pointer,
          results[4].pointer, results[5].pointer, ds?.pointer, scratch.pointer, UInt(launch.backwardScratch),
          states.pointer,
          UInt(launch.states), reads.pointer, launch.time, launch.heads, launch.width, launch.valueWidth,
          Int32(launch.groupHeads), forward.options.scale)
      }
    }
  }
}
