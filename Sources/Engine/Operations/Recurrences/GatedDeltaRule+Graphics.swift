import Kernels

// GatedDeltaRule on graphics processors: `kernels/chunk_tiled.cl` and `delta_tiled.cl`, every launch but the scan over all
// chunks.

/// The launches of the delta rule, and what both of its passes have in common.
private struct DeltaChunks {
  let chunks: ChunkLaunch
  let key: ChunkLaunch.Rows
  let betas: Memory
  /// The decayed products of keys with earlier ones [batch, time, heads, chunk].
  let system: Memory

  init(_ operation: GatedDeltaRule, on device: OpenCLDevice, _ inputs: [Tensor]) throws {
    chunks = try ChunkLaunch(
      operation.extents(inputs),
      gates: operation.hasGate ? inputs[4].memory : nil, gatesByToken: true,
      documents: operation.documents(inputs), on: device)
    key = ChunkLaunch.Rows(inputs[1])
    betas = inputs[3].memory
    system = try chunks.scores(key, key, isStrict: true)
  }

  var size: RecurrenceExtents { chunks.size }

  private func kernel<each Argument: KernelArgument>(_ name: String) throws -> Kernel<repeat each Argument> {
    try chunks.tiles.kernel(name, in: "delta_tiled", keyWidth: size.width, on: chunks.device)
  }

  /// X with `(1 + A diag(beta)) X = E rows`, A the system; at the end `(1 + A^T diag(beta)) X = F rows`.
  func solved(_ rows: ChunkLaunch.Rows, isDecayed: Bool = true, side: ChunkLaunch.Side = .start) throws
    -> ChunkLaunch.Rows
  {
    let result = chunks.makeRows(width: rows.width)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32,
        Int32, Int32
      > = try kernel("delta_solve")
    let end: Int32 = side == .end ? 1 : 0
    kernel(
      Buffer(system), Buffer(betas), Buffer(rows.memory), Buffer(isDecayed ? chunks.decays : nil),
      Buffer(result.memory), chunks.time, chunks.heads, Int32(rows.heads), Int32(rows.width), end, end,
      over: chunks.groups(chunks.tiles.groups(rows.width)))
    return result
  }

  /// The scan over the states with the matrices that lead from one to the next, less their diagonal of decays.
  func scan(
    _ states: Memory, transitions: Memory, side: ChunkLaunch.Side, from given: Memory?, to result: Memory?,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32
      > = try kernel("delta_scan")
    kernel(
      Buffer(given), Buffer(chunks.decays), Buffer(transitions), Buffer(states), Buffer(result), chunks.time,
      chunks.heads, Int32(size.valueWidth), side == .start ? 1 : 0,
      over: chunks.groupsPerHead((size.valueWidth + 3) / 4))
  }

  /// The states in front of the chunks and the errors of prediction.
  ///
  /// - Parameter keyErrors: WK.
  func statesAndErrors(
    _ value: ChunkLaunch.Rows, keyErrors: ChunkLaunch.Rows, initial: Memory?, final: Memory?,
  ) throws -> (states: Memory, errors: ChunkLaunch.Rows) {
    let errors = try solved(value, isDecayed: false)
    let states = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(key, errors, weights: betas, to: states)
    let transitions = chunks.makeStates(size.width, size.width)
    try chunks.addOuter(keyErrors, key, weights: betas, scale: -1, to: transitions)
    try scan(states, transitions: transitions, side: .end, from: initial, to: final)
    try chunks.rows(
      .init(x: keyErrors, states: states, isDecayed: false, scale: -1), nil, adds: true, to: errors)
    return (states, errors)
  }

  /// Rows of tokens times beta.
  func scale(_ rows: ChunkLaunch.Rows, to result: Memory) throws {
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt64, Int32> = try kernel("delta_scale")
    let count = size.batch * size.time * size.heads * rows.width
    kernel(
      Buffer(rows.memory), Buffer(betas), Buffer(result), UInt64(count), Int32(rows.width),
      over: .groups(chunks.tiles.groups(count)))
  }

  func scaled(_ rows: ChunkLaunch.Rows) throws -> ChunkLaunch.Rows {
    let result = chunks.makeRows(width: rows.width)
    try scale(rows, to: result.memory)
    return result
  }

  func betaGradients(_ z: ChunkLaunch.Rows, _ errors: ChunkLaunch.Rows, to result: Memory) throws {
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32> = try kernel(
      "delta_beta_gradients")
    kernel(
      Buffer(z.memory), Buffer(errors.memory), Buffer(result), chunks.time, chunks.heads, Int32(z.width),
      over: chunks.groups(1))
  }

  /// `read` becomes their sum, `write` their difference.
  func keyGradients(read: ChunkLaunch.Rows, write: ChunkLaunch.Rows) throws {
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64> = try kernel("delta_key_gradients")
    let count = size.batch * size.time * size.heads * size.width
    kernel(
      Buffer(read.memory), Buffer(write.memory), UInt64(count), over: .groups(chunks.tiles.groups(count)))
  }
}

extension GatedDeltaRule: TiledRecurrence {
  func runTiled(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = try DeltaChunks(self, on: device, inputs)
    let query = ChunkLaunch.Rows(inputs[0])
    let keyErrors = try launch.solved(launch.key)
    let (states, errors) = try launch.statesAndErrors(
      .init(inputs[2]), keyErrors: keyErrors, initial: initialState(inputs), final: outputs[1].memory)
    try launch.scale(errors, to: errors.memory)
    let scores = try launch.chunks.scores(query, launch.key, scale: options.scale)
    try launch.chunks.rows(
      .init(x: query, states: states, scale: options.scale), .init(scores: scores, y: errors),
      to: .init(outputs[0]))
  }

  func runTiledSteps(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = extents(inputs)
    let tiles = ChunkTiles(for: device.description)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Float
      > = try tiles.kernel("delta_step", in: "delta_tiled", keyWidth: size.width, on: device)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory),
      Buffer(hasGate ? inputs[4].memory : nil), Buffer(documents(inputs)), Buffer(initialState(inputs)),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Int32(size.time), Int32(size.heads),
      Int32(size.keyHeads), Int32(size.width), Int32(size.valueWidth), options.scale,
      over: tiles.stepGroups(size))
  }
}

extension GatedDeltaRule {
  /// With the names of `kernels/delta_tiled.cl`; every gradient but that of the states is a product over all chunks.
  func runTiledGradient(
    on device: OpenCLDevice, _ inputs: [Tensor], _ cotangents: RecurrenceCotangents, _ outputs: [Tensor],
  ) throws {
    let launch = try DeltaChunks(self, on: device, inputs)
    let (chunks, size, scale) = (launch.chunks, launch.size, options.scale)
    let (query, key) = (ChunkLaunch.Rows(inputs[0]), launch.key)
    let cotangent = ChunkLaunch.Rows(cotangents.output)
    let (dq, dk, dv) = (
      ChunkLaunch.Rows(outputs[0]), ChunkLaunch.Rows(outputs[1]), ChunkLaunch.Rows(outputs[2])
    )
    let keyErrors = try launch.solved(key)
    let (states, errors) = try launch.statesAndErrors(
      .init(inputs[2]), keyErrors: keyErrors, initial: initialState(inputs), final: nil)
    let scores = try chunks.scores(query, key, scale: scale)

    // Z and the states' gradients
    let ownCotangents = chunks.makeRows(width: size.valueWidth)
    try chunks.rows(nil, .init(scores: scores, y: cotangent), side: .end, to: ownCotangents)
    let z = try launch.solved(ownCotangents, isDecayed: false, side: .end)
    let gradients = chunks.makeStates(size.width, size.valueWidth)
    try chunks.addOuter(query, cotangent, side: .start, scale: scale, to: gradients)
    try chunks.addOuter(key, z, weights: launch.betas, side: .start, scale: -1, adds: true, to: gradients)
    let transitions = chunks.makeStates(size.width, size.width)
    try chunks.addOuter(key, keyErrors, weights: launch.betas, scale: -1, to: transitions)
    try launch.scan(
      gradients, transitions: transitions, side: .start,
      from: cotangents.final,
      to: cotangents.initialGradient)
    try chunks.rows(
      .init(x: launch.solved(key, side: .end), states: gradients, isDecayed: false), nil, side: .end,
      adds: true, to: z)

    // dV = diag(beta) Z, dbeta and U
    try launch.betaGradients(z, errors, to: outputs[3].memory)
    try launch.scale(z, to: dv.memory)
    let written = try launch.scaled(errors)

    // dQ and dK, what keys get for reading and for writing apart
    let scoreGradients = try chunks.scores(cotangent, written, scale: scale)
    let systemGradients = try chunks.scores(dv, written, scale: -1, isStrict: true)
    try chunks.rows(
      .init(x: cotangent, states: states, isTransposed: true, scale: scale),
      .init(scores: scoreGradients, y: key), to: dq)
    try chunks.rows(
      .init(x: dv, states: states, isTransposed: true, scale: -1), .init(scores: systemGradients, y: key),
      to: dk)
    let write = chunks.makeRows(width: size.width)
    try chunks.rows(
      .init(x: written, states: gradients, isTransposed: true), .init(scores: scoreGradients, y: query),
      side: .end, to: write)
    try chunks.rows(nil, .init(scores: systemGradients, y: key), side: .end, adds: true, to: write)
    try launch.keyGradients(read: dk, write: write)
    guard cotangents.needsOptional, hasGate else { return }
    try chunks.gateGradients(
      query, gradient: dq, key, keyGradient: write, states: states, gradients: gradients,
      gates: inputs[4].memory, gatesByToken: true, given: initialState(inputs), to: outputs[4].memory)
  }
}
