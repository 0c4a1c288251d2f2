public import Kernels

/// What the kernels of attention.cl are specialized for, and their launch rules.
private struct AttentionConfiguration {
  let options: AttentionOptions
  let size: AttentionExtents
  let definitions: [String: String]
  /// Query rows of one work-item of the forward kernel.
  let rows: Int

  init(_ options: AttentionOptions, _ size: AttentionExtents, entropy: Bool = false) {
    self.options = options
    self.size = size
    rows = max(size.width, size.valueWidth) <= 128 ? 96 : 48
    let switches = [
      "SOFTCAP": options.softcap > 0, "ALIBI": options.hasSlopes, "SINKS": options.hasSinks,
      "DOCUMENTS": options.hasDocuments, "MASK": options.hasMask, "ENTROPY": entropy,
    ]
    var definitions = switches.filter(\.value).mapValues { _ in "1" }
    definitions["D"] = "\(size.width)"
    definitions["DV"] = "\(size.valueWidth)"
    definitions["ROWS"] = "\(rows)"
    self.definitions = definitions
  }

  var softcap: Float { options.softcap > 0 ? options.softcap : 1 }
  var causal: Int32 { options.isCausal ? 1 : 0 }
  var left: Int32 { options.windowLeft.map { Int32(clamping: $0) } ?? -1 }
  var right: Int32 { options.windowRight.map { Int32(clamping: $0) } ?? -1 }

  /// Work-items per key/value head of the backward kernel: more than one where there are too few heads for the
  /// device's compute units; each makes a partial sum.
  func slices(on device: OpenCLDevice) -> Int {
    let units = device.description.computeUnits
    let heads = size.batch * size.keyHeads
    if heads.isMultiple(of: units) || heads >= 4 * units { return 1 }
    let blockRows =
      [32: 96, 64: 72, 128: 48].filter { max(size.width, size.valueWidth) <= $0.key }.min {
        $0.key < $1.key
      }?.value ?? 24
    let most = size.heads / size.keyHeads * ((size.queryTime + blockRows - 1) / blockRows)
    return max(1, min(units, most))
  }
}

extension Attention {
  /// At most this many query rows go through the decode kernels, which split the keys over work-items.
  private static let decodeRows = 8

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let configuration = AttentionConfiguration(options, size, entropy: returnsEntropy)
    if size.queryTime <= Attention.decodeRows, size.keyTime > 64 {
      try decode(configuration, on: device, inputs, outputs)
    } else {
      try forward(configuration, on: device, inputs, outputs)
    }
  }

  private func forward(
    _ configuration: AttentionConfiguration, on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = configuration.size
    let extras = options.extras(of: inputs)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>,
        Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Float, Float, Int32,
        Int32,
        Int32
      > = try device.kernel("attention_forward", in: "attention", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory),
      Buffer(extras.sinks?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Buffer(returnsEntropy ? outputs[2].memory : nil),
      Int32(size.queryTime), Int32(size.keyTime), Int32(size.keyTime), Int32(size.heads),
      Int32(size.keyHeads),
      options.scale, configuration.softcap, configuration.causal, configuration.left, configuration.right,
      over: .groups(
        size.batch * size.heads * ((size.queryTime + configuration.rows - 1) / configuration.rows)))
  }

  private func decode(
    _ configuration: AttentionConfiguration, on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor],
  ) throws {
    let size = configuration.size
    let extras = options.extras(of: inputs)
    let units = device.description.computeUnits
    let splits = max(1, min((4 * units + size.batch - 1) / size.batch, (size.keyTime + 63) / 64))
    let shares = size.batch * splits >= units ? 1 : size.keyHeads
    let parts = size.batch * splits * size.heads * size.queryTime
    let partialOutputs = device.allocate(parts * size.valueWidth, of: .float32)
    let statistics = device.allocate(parts * 4, of: .float32)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Int32>, Buffer<UInt8>,
        Buffer<Float>,
        Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Float, Float, Int32, Int32, Int32, Int32, Int32
      > = try device.kernel("attention_decode", in: "attention_decode", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory),
      Buffer(extras.documents?.memory), Buffer(extras.mask?.memory), Buffer(partialOutputs),
      Buffer(statistics),
      Int32(size.queryTime), Int32(size.keyTime), Int32(size.keyTime), Int32(size.heads),
      Int32(size.keyHeads),
      options.scale, configuration.softcap, configuration.causal, configuration.left, configuration.right,
      Int32(splits), Int32(shares), over: .groups(size.batch * splits * shares))
    let merge:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32
      > = try device.kernel("attention_decode_merge", in: "attention_decode", configuration.definitions)
    merge(
      Buffer(partialOutputs), Buffer(statistics), Buffer(extras.sinks?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory), Buffer(returnsEntropy ? outputs[2].memory : nil), Int32(size.queryTime),
      Int32(size.heads), Int32(splits), over: .groups(size.batch * size.heads * size.queryTime))
  }
}

extension AttentionGradient {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let configuration = AttentionConfiguration(options, size)
    let slices = configuration.slices(on: device)
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
        Buffer<UInt8>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>,
        Int32, Int32, Int32, Int32, Int32, Int32, Float, Float, Int32, Int32, Int32, Int32, Int32
      > = try device.kernel("attention_backward", in: "attention_backward", configuration.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(extras.slopes?.memory),
      Buffer(extras.sinks?.memory), Buffer(extras.documents?.memory), Buffer(extras.mask?.memory),
      Buffer(inputs[first].memory), Buffer(inputs[first + 1].memory), Buffer(inputs[first + 2].memory),
      Buffer(outputs[0].memory), Buffer(partialKeys), Buffer(partialValues), Buffer(partialSinks),
      Int32(size.batch), Int32(size.queryTime), Int32(size.keyTime), Int32(size.keyTime), Int32(size.heads),
      Int32(size.keyHeads), options.scale, configuration.softcap, configuration.causal, configuration.left,
      configuration.right, Int32(slices), 0, over: .groups(size.batch * size.keyHeads * slices))
    let sum: Kernel<Buffer<Float>, Buffer<Float>, UInt64, Int32> = try device.kernel(
      "attention_sum", in: "attention_backward", configuration.definitions)
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
