import Kernels

// ScalarGatedLinearAttention on graphics processors: `kernels/chunk_tiled.cl`, every launch over all chunks.

extension ScalarGatedLinearAttention: TiledRecurrence {
  func runTiled(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = extents(inputs)
    let chunks = try chunks(size, on: device, inputs)
    let (query, key) = (ChunkLaunch.Rows(inputs[0]), ChunkLaunch.Rows(inputs[1]))
    let value = ChunkLaunch.Rows(inputs[2])
    let states = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(key, value, to: states)
    try chunks.scan(states, from: initialState(inputs), to: outputs[1].memory)
    let scores = try chunks.scores(query, key, scale: options.scale)
    try chunks.rows(
      .init(x: query, states: states, scale: options.scale), .init(scores: scores, y: value),
      to: .init(outputs[0]))
  }

  /// The gates' decays.
  func chunks(_ size: RecurrenceExtents, on device: OpenCLDevice, _ inputs: [Tensor]) throws -> ChunkLaunch {
    try ChunkLaunch(
      size, gates: gate == .none ? nil : inputs[3].memory, gatesByToken: gate == .perToken,
      documents: documents(inputs), on: device)
  }

  func runTiledSteps(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = extents(inputs)
    let tiles = ChunkTiles(for: device.description)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Int32, Float
      > = try tiles.kernel("chunk_step", on: device)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(gate == .none ? nil : inputs[3].memory), Buffer(documents(inputs)), Buffer(initialState(inputs)),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Int32(size.time), Int32(size.heads),
      Int32(size.keyHeads), Int32(size.width), Int32(size.valueWidth), gate == .perToken ? 1 : 0,
      options.scale, over: tiles.stepGroups(size))
  }
}

extension ScalarGatedLinearAttention {
  /// The states are made again; their gradients come from the last chunk to the first by the same products.
  func runTiledGradient(
    on device: OpenCLDevice, _ inputs: [Tensor], _ cotangents: RecurrenceCotangents, _ outputs: [Tensor],
  ) throws {
    let size = extents(inputs)
    let scale = options.scale
    let chunks = try chunks(size, on: device, inputs)
    let (query, key) = (ChunkLaunch.Rows(inputs[0]), ChunkLaunch.Rows(inputs[1]))
    let value = ChunkLaunch.Rows(inputs[2])
    let cotangent = ChunkLaunch.Rows(cotangents.output)
    let states = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(key, value, to: states)
    try chunks.scan(states, from: initialState(inputs), to: nil)
    let gradients = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(query, cotangent, side: .start, scale: scale, to: gradients)
    try chunks.scan(gradients, side: .start, from: cotangents.final, to: cotangents.initialGradient)
    let scores = try chunks.scores(query, key, scale: scale)
    try chunks.rows(
      .init(x: key, states: gradients), .init(scores: scores, y: cotangent), side: .end, to: .init(outputs[2])
    )
    let scoreGradients = try chunks.scores(cotangent, value, scale: scale)
    try chunks.rows(
      .init(x: cotangent, states: states, isTransposed: true, scale: scale),
      .init(scores: scoreGradients, y: key), to: .init(outputs[0]))
    try chunks.rows(
      .init(x: value, states: gradients, isTransposed: true), .init(scores: scoreGradients, y: query),
      side: .end, to: .init(outputs[1]))
    guard cotangents.needsOptional, gate != .none else { return }
    try chunks.gateGradients(
      query, gradient: .init(outputs[0]), key, keyGradient: .init(outputs[1]), states: states,
      gradients: gradients, gates: inputs[3].memory, gatesByToken: gate == .perToken,
      given: initialState(inputs), to: outputs[3].memory)
  }
}
