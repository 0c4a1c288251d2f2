import Kernels

// Attention on graphics processors: one work-group per tile, `kernels/attention_tiled*.cl`.

extension Attention {
  func tiledForward(
    _ launch: AttentionLaunch, _ tile: AttentionTile, on device: OpenCLDevice, _ inputs: [Tensor],
    _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
        Buffer<UInt8>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float, Float,
        Int32, Int32, Int32
      > = try device.kernel("attention_tiled", in: "attention_tiled", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.sinks?.memory), Buffer(extras.documents?.memory),
      Buffer(extras.mask?.memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory),
      Buffer(returnsEntropy ? outputs[2].memory : nil), launch.queryTime, launch.keyTime, launch.heads,
      launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right,
      over: .groups(size.batch * size.heads * tile.blocks(of: size.queryTime)))
  }

  func tiledDecode(
    _ launch: AttentionLaunch, _ tile: AttentionTile, on device: OpenCLDevice, _ inputs: [Tensor],
    _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let tiles = size.batch * size.keyHeads * tile.blocks(of: size.heads / size.keyHeads * size.queryTime)
    let keyBlocks = (size.keyTime + tile.columns - 1) / tile.columns
    // Four work-groups per compute unit hide the latency of memory, by which this is bound.
    let splits = max(1, min((4 * device.description.computeUnits + tiles - 1) / tiles, keyBlocks))
    let parts = size.batch * splits * size.heads * size.queryTime
    let partialOutputs = device.allocate(parts * size.valueWidth, of: .float32)
    let statistics = device.allocate(parts * 4, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float, Float, Int32, Int32, Int32, Int32
      > = try device.kernel("attention_tiled_decode", in: "attention_tiled_decode", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(partialOutputs), Buffer(statistics), launch.queryTime, launch.keyTime, launch.heads,
      launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right, Int32(splits),
      over: .groups(tiles * splits))
    try mergeDecode(
      "attention_tiled_merge", in: "attention_tiled_decode", launch, splits, partialOutputs, statistics,
      on: device, sinks: extras.sinks, outputs)
  }
}

extension AttentionGradient {
  func tiledBackward(
    _ launch: AttentionLaunch, _ tile: AttentionTile, on device: OpenCLDevice, _ inputs: [Tensor],
    _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let first = 3 + options.extraCount
    let rows = size.batch * size.queryTime * size.heads
    let rowTerms = device.allocate(rows, of: .float32)
    let terms: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32> =
      try device.kernel("attention_tiled_terms", in: "attention_tiled_terms", launch.definitions)
    let rowsPerGroup = tile.group / tile.lanes
    terms(
      Buffer(inputs[first].memory), Buffer(inputs[first + 2].memory), Buffer(rowTerms), Int32(rows),
      launch.queryTime, launch.heads, over: .groups((rows + rowsPerGroup - 1) / rowsPerGroup))
    try keyGradients(launch, tile, rowTerms, on: device, inputs, outputs)
    try queryGradient(launch, tile, rowTerms, on: device, inputs, outputs)
    guard let sinks = options.extras(of: inputs).sinks else { return }
    let sum: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32> =
      try device.kernel("attention_tiled_sinks", in: "attention_tiled_terms", launch.definitions)
    sum(
      Buffer(sinks.memory), Buffer(inputs[first + 1].memory), Buffer(rowTerms), Buffer(outputs[3].memory),
      Int32(size.batch), launch.queryTime, launch.heads, over: .groups(size.heads))
  }

  private func keyGradients(
    _ launch: AttentionLaunch, _ tile: AttentionTile, _ rowTerms: Memory, on device: OpenCLDevice,
    _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let first = 3 + options.extraCount
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32,
        Float, Float, Int32, Int32, Int32
      > = try device.kernel("attention_tiled_keys", in: "attention_tiled_backward", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(inputs[first + 1].memory), Buffer(rowTerms), Buffer(inputs[first + 2].memory),
      Buffer(outputs[1].memory), Buffer(outputs[2].memory), launch.queryTime, launch.keyTime, launch.heads,
      launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right,
      over: .groups(size.batch * size.keyHeads * tile.blocks(of: size.keyTime)))
  }

  private func queryGradient(
    _ launch: AttentionLaunch, _ tile: AttentionTile, _ rowTerms: Memory, on device: OpenCLDevice,
    _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let first = 3 + options.extraCount
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float, Float,
        Int32, Int32, Int32
      > = try device.kernel("attention_tiled_queries", in: "attention_tiled_backward", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(inputs[first + 1].memory), Buffer(rowTerms), Buffer(inputs[first + 2].memory),
      Buffer(outputs[0].memory), launch.queryTime, launch.keyTime, launch.heads, launch.keyHeads,
      options.scale, launch.softcap, launch.causal, launch.left, launch.right,
      over: .groups(size.batch * size.heads * tile.blocks(of: size.queryTime)))
  }
}

extension AttentionTile {
  /// Tiles that cover `count` rows.
  fileprivate func blocks(of count: Int) -> Int { (count + rows - 1) / rows }
}
