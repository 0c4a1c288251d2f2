import Kernels

// Attention on processors: one work-item per block, `kernels/attention*.cl` without `tiled`.

extension Attention {
  func forward(
    _ launch: AttentionLaunch, rows: Int, on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
        Buffer<UInt8>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float,
        Float, Int32, Int32, Int32
      > = try device.kernel("attention_forward", in: "attention", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.sinks?.memory), Buffer(extras.documents?.memory),
      Buffer(extras.mask?.memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory),
      Buffer(returnsEntropy ? outputs[2].memory : nil), launch.queryTime, launch.keyTime,
      launch.heads, launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right,
      over: .groups(size.batch * size.heads * ((size.queryTime + rows - 1) / rows)))
  }

  func decode(
    _ launch: AttentionLaunch, blockKeys: Int, on device: OpenCLDevice, _ inputs: [Tensor],
    _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let extras = options.extras(of: inputs)
    let units = device.description.computeUnits
    let blocks = (size.keyTime + blockKeys - 1) / blockKeys
    let splits = max(1, min((4 * units + size.batch - 1) / size.batch, blocks))
    let shares = size.batch * splits >= units ? 1 : size.keyHeads
    let parts = size.batch * splits * size.heads * size.queryTime
    let partialOutputs = device.allocate(parts * size.valueWidth, of: .float32)
    let statistics = device.allocate(parts * 4, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Float, Float, Int32, Int32, Int32,
        Int32, Int32
      > = try device.kernel("attention_decode", in: "attention_decode", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(partialOutputs), Buffer(statistics), launch.queryTime, launch.keyTime,
      launch.heads, launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right,
      Int32(splits), Int32(shares), over: .groups(size.batch * splits * shares))
    try mergeDecode(
      "attention_decode_merge", in: "attention_decode", launch, splits, partialOutputs, statistics,
      on: device, sinks: extras.sinks, outputs)
  }

  /// Partial outputs of all ranges of keys to outputs.
  func mergeDecode(
    _ name: String, in family: String, _ launch: AttentionLaunch, _ splits: Int, _ partialOutputs: Memory,
    _ statistics: Memory, on device: OpenCLDevice, sinks: Tensor?, _ outputs: [Tensor],
  ) throws {
    let merge:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32
      > = try device.kernel(name, in: family, launch.definitions)
    merge(
      Buffer(partialOutputs), Buffer(statistics), Buffer(sinks?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory), Buffer(returnsEntropy ? outputs[2].memory : nil), launch.queryTime,
      launch.heads, Int32(splits),
      over: .groups(launch.size.batch * launch.size.heads * launch.size.queryTime))
  }
}

extension AttentionGradient {
  /// Work-items per key/value head: more than one where there are too few heads for the device's compute units; each
  /// makes a partial sum.
  private func slices(_ size: AttentionExtents, rows: Int, on device: OpenCLDevice) -> Int {
    let units = device.description.computeUnits
    let heads = size.batch * size.keyHeads
    if heads.isMultiple(of: units) || heads >= 4 * units { return 1 }
    let most = size.heads / size.keyHeads * ((size.queryTime + rows - 1) / rows)
    return max(1, min(units, most))
  }

  func backward(
    _ launch: AttentionLaunch, rows: Int, on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = launch.size
    let slices = slices(size, rows: rows, on: device)
    let partialKeys =
      slices == 1 ? outputs[1].memory : device.allocate(slices * outputs[1].shape.count, of: .float32)
    let partialValues =
      slices == 1 ? outputs[2].memory : device.allocate(slices * outputs[2].shape.count, of: .float32)
    let partialSinks =
      options.hasSinks ? device.allocate(slices * size.batch * size.heads, of: .float32) : nil
    let extras = options.extras(of: inputs)
    let first = 3 + options.extraCount
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
        Buffer<UInt8>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Float, Float, Int32, Int32,
        Int32, Int32
      > = try device.kernel("attention_backward", in: "attention_backward", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory), Buffer(extras.sinks?.memory), Buffer(extras.documents?.memory),
      Buffer(extras.mask?.memory), Buffer(inputs[first].memory), Buffer(inputs[first + 1].memory),
      Buffer(inputs[first + 2].memory), Buffer(outputs[0].memory), Buffer(partialKeys), Buffer(partialValues),
      Buffer(partialSinks), Int32(size.batch), launch.queryTime, launch.keyTime, launch.heads,
      launch.keyHeads, options.scale, launch.softcap, launch.causal, launch.left, launch.right, Int32(slices),
      over: .groups(size.batch * size.keyHeads * slices))
    let sum: Kernel<Buffer<Float>, Buffer<Float>, UInt64, Int32> = try device.kernel(
      "attention_sum", in: "attention_backward", launch.definitions)
    func add(_ partials: Memory, to output: Tensor, parts: Int) {
      let count = output.shape.count
      sum(
        Buffer(partials), Buffer(output.memory), UInt64(count), Int32(parts),
        over: .groups((count + 1023) / 1024))
    }
    if slices > 1 {
      add(partialKeys, to: outputs[1], parts: slices)
      add(partialValues, to: outputs[2], parts: slices)
    }
    if let partialSinks { add(partialSinks, to: outputs[3], parts: slices * size.batch) }
  }
}
