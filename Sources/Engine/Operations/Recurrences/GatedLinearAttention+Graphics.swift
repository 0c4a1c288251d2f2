import Kernels

// GatedLinearAttention on graphics processors: `kernels/chunk_tiled.cl` on rows that `vector_gate_tiled.cl` decays before.

/// The launches for gates per channel, and what both passes have in common.
private struct VectorGateChunks {
  /// The chunks without the gates: products meet documents only.
  let chunks: ChunkLaunch
  let tiles: ChunkTiles
  /// The cumulative sums of the gates inside a chunk, and what rounding took from them.
  let sums: ChunkLaunch.Rows
  let rests: ChunkLaunch.Rows
  /// Queries decayed from the chunk's start, keys to its end.
  let query: ChunkLaunch.Rows
  let key: ChunkLaunch.Rows
  /// The decays of whole chunks [batch, heads, chunks, width].
  let carries: Memory

  init(_ operation: GatedLinearAttention, on device: OpenCLDevice, _ inputs: [Tensor]) throws {
    let size = operation.extents(inputs)
    chunks = try ChunkLaunch(
      size, gates: nil, gatesByToken: true, documents: operation.documents(inputs), on: device)
    tiles = ChunkTiles(for: device.description, operands: 6)
    (sums, rests) = (chunks.makeRows(width: size.width), chunks.makeRows(width: size.width))
    (query, key) = (chunks.makeRows(width: size.width), chunks.makeRows(width: size.width))
    carries = device.allocate(size.batch * size.heads * size.chunks * size.width, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32
      > = try self.kernel("vector_decays")
    kernel(
      Buffer(inputs[3].memory), Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(sums.memory),
      Buffer(rests.memory), Buffer(query.memory), Buffer(key.memory), Buffer(carries), chunks.time,
      chunks.heads, Int32(size.width), over: chunks.groups(tiles.groups(size.width)))
  }

  private var size: RecurrenceExtents { chunks.size }

  private func kernel<each Argument: KernelArgument>(_ name: String) throws -> Kernel<repeat each Argument> {
    try tiles.kernel(name, in: "vector_gate_tiled", on: chunks.device)
  }

  /// The decayed products of queries and keys [batch, time, heads, chunk].
  func scores(_ inputs: [Tensor], scale: Float) throws -> Memory {
    let scores = chunks.makeRows(width: ChunkTiles.chunk).memory
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32, Float
      > = try kernel("vector_scores")
    let across = tiles.tiles(ChunkTiles.chunk)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(sums.memory), Buffer(rests.memory),
      Buffer(chunks.decays), Buffer(scores), chunks.time, chunks.heads, Int32(size.width), scale,
      over: chunks.groups(across * across))
    return scores
  }

  /// As ``ChunkLaunch/scan(_:side:from:to:)``, each row of the states with its own decays.
  func scan(_ states: Memory, side: ChunkLaunch.Side = .end, from given: Memory?, to result: Memory?) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32,
        Int32
      > = try kernel("vector_scan")
    kernel(
      Buffer(given), Buffer(chunks.decays), Buffer(carries), Buffer(states), Buffer(result), chunks.time,
      chunks.heads, Int32(size.width), Int32(size.valueWidth), side == .start ? 1 : 0,
      over: chunks.groupsPerHead(tiles.groups(size.stateCount)))
  }

  /// The states in front of the chunks and behind the last.
  func states(_ value: ChunkLaunch.Rows, from initial: Memory?, to final: Memory?) throws -> Memory {
    let states = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(key, value, to: states)
    try scan(states, from: initial, to: final)
    return states
  }

  /// Decays `out`, the gradients of queries from the chunk's start, those of keys to its end, and makes what the chunk's other
  /// tokens give: added to `out`, or for keys in `others`.
  func addScoreRows(_ scores: Memory, _ y: Tensor, to out: ChunkLaunch.Rows, others: ChunkLaunch.Rows? = nil)
    throws
  {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32, Int32
      > = try kernel("vector_score_rows")
    kernel(
      Buffer(scores), Buffer(y.memory), Buffer(sums.memory), Buffer(rests.memory), Buffer(out.memory),
      Buffer(others?.memory), chunks.time, chunks.heads, Int32(size.width), others == nil ? 0 : 1,
      over: chunks.groups(tiles.tiles(ChunkTiles.chunk) * tiles.tiles(size.width)))
  }

  /// Gradients of the gates; those of queries and keys, the first two outputs, get their last part.
  func gateGradients(
    _ inputs: [Tensor], _ outputs: [Tensor], scores: Memory, states: Memory, gradients: Memory,
    own: ChunkLaunch.Rows, hasInitial: Bool,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32, Int32, Int32
      > = try kernel("vector_gate_gradients")
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[3].memory), Buffer(scores),
      Buffer(chunks.decays), Buffer(carries), Buffer(states), Buffer(gradients), Buffer(own.memory),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Buffer(outputs[3].memory), chunks.time,
      chunks.heads, Int32(size.width), Int32(size.valueWidth), hasInitial ? 1 : 0,
      over: chunks.groups(tiles.groups(size.width)))
  }
}

extension GatedLinearAttention: TiledRecurrence {
  func runTiled(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = try VectorGateChunks(self, on: device, inputs)
    let value = ChunkLaunch.Rows(inputs[2])
    let states = try launch.states(value, from: initialState(inputs), to: outputs[1].memory)
    let scores = try launch.scores(inputs, scale: options.scale)
    try launch.chunks.rows(
      .init(x: launch.query, states: states, scale: options.scale), .init(scores: scores, y: value),
      to: .init(outputs[0]))
  }

  func runTiledSteps(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = extents(inputs)
    let tiles = ChunkTiles(for: device.description, operands: 6)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float
      > = try tiles.kernel("vector_step", in: "vector_gate_tiled", on: device)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory),
      Buffer(documents(inputs)), Buffer(initialState(inputs)), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory), Int32(size.time), Int32(size.heads), Int32(size.width),
      Int32(size.valueWidth), options.scale,
      over: tiles.stepGroups(size))
  }
}

extension GatedLinearAttention {
  /// With the names of `kernels/vector_gate_backward.cl`, over chunks.
  func runTiledGradient(
    on device: OpenCLDevice, _ inputs: [Tensor], _ cotangents: RecurrenceCotangents, _ outputs: [Tensor],
  ) throws {
    let launch = try VectorGateChunks(self, on: device, inputs)
    let (chunks, scale) = (launch.chunks, options.scale)
    let (value, cotangent) = (ChunkLaunch.Rows(inputs[2]), ChunkLaunch.Rows(cotangents.output))
    let (dq, dk) = (ChunkLaunch.Rows(outputs[0]), ChunkLaunch.Rows(outputs[1]))
    let states = try launch.states(value, from: initialState(inputs), to: nil)
    let gradients = chunks.makeStates(dq.width, value.width)
    try chunks.addOuter(launch.query, cotangent, side: .start, scale: scale, to: gradients)
    try launch.scan(gradients, side: .start, from: cotangents.final, to: cotangents.initialGradient)
    try chunks.rows(
      .init(x: launch.key, states: gradients),
      .init(scores: launch.scores(inputs, scale: scale), y: cotangent), side: .end, to: .init(outputs[2]))
    let scoreGradients = try chunks.scores(cotangent, value, scale: scale)
    try chunks.rows(.init(x: cotangent, states: states, isTransposed: true, scale: scale), nil, to: dq)
    try launch.addScoreRows(scoreGradients, inputs[1], to: dq)
    try chunks.rows(.init(x: value, states: gradients, isTransposed: true), nil, side: .end, to: dk)
    let own = chunks.makeRows(width: dk.width)
    try launch.addScoreRows(scoreGradients, inputs[0], to: dk, others: own)
    try launch.gateGradients(
      inputs, outputs, scores: scoreGradients, states: states, gradients: gradients, own: own,
      hasInitial: options.hasInitialState)
  }
}
