import CHost
import Kernels

/// The kernels of a recurrence, on OpenCL devices and compiled for the host.
///
/// Their arguments come in one order: operands, documents, initial state; in the backward the cotangents of output and
/// final state; the outputs (in the backward with the initial state's gradient); scratch memory, in the backward what a
/// sweep forward keeps; their sizes; time, heads, on demand key heads, the widths, heads per group; flags; the scale.
struct RecurrenceKernels: Sendable {
  /// The kernel that this processor runs.
  typealias Host =
    @Sendable () ->
    @convention(c) (
      UnsafePointer<UnsafeMutableRawPointer?>, UnsafePointer<UInt>, UnsafePointer<Int32>, Float
    ) -> Void

  /// The family of forward and step; the backward's is `name_backward`.
  let name: String
  let forward: Host
  let step: Host
  let backward: Host
}

/// Floats of scratch memory.
struct RecurrenceScratch {
  /// Of a group of heads besides one state per head.
  let forward: Int
  /// The same in the backward.
  let backward: Int
  /// Of one head, kept by the backward's sweep forward.
  let kept: Int
}

/// One launch: what the two kinds of devices are given.
private struct RecurrenceLaunch {
  let kernel: String
  let family: String
  let host: RecurrenceKernels.Host
  /// Nil for what is absent.
  let memories: [Memory?]
  /// Which of them are document numbers.
  let documentsPosition: Int
  let sizes: [Int]
  let integers: [Int]
  let scale: Float
  let groups: Int
  /// Groups that a host thread takes at least.
  var grain = 1

  func enqueue(on device: OpenCLDevice, _ configuration: ChunkConfiguration) throws {
    let arguments =
      memories.enumerated().map { position, memory -> any KernelArgument in
        position == documentsPosition ? Buffer<Int32>(memory) : Buffer<Float>(memory)
      } + sizes.map { UInt64($0) } + integers.map { Int32($0) } + [scale]
    try device.untypedKernel(kernel, in: family, configuration.definitions)(arguments, over: .groups(groups))
  }

  func run(on device: HostDevice) {
    var pointers: [UnsafeMutableRawPointer?] = []
    for (position, memory) in memories.enumerated() {
      guard let memory else {
        pointers.append(nil)
        continue
      }
      let pointer =
        position == documentsPosition
        ? HostArray<Int32>(memory).map { UnsafeMutableRawPointer($0.pointer) }
        : HostArray<Float>(memory).map { UnsafeMutableRawPointer($0.pointer) }
      guard let pointer else { return }
      pointers.append(pointer)
    }
    // The threads only read it.
    nonisolated(unsafe) let shared = pointers
    let (sizes, integers) = (sizes.map { UInt($0) }, integers.map { Int32($0) })
    device.threads.forGroups(groups, grain: grain) { [host, scale] in
      host()(shared, sizes, integers, scale)
    }
    // Scratch memory lives until the threads are done.
    withExtendedLifetime(memories) {}
  }
}

extension Recurrence {
  public func workspace(_ inputs: [TensorType]) -> Int {
    let extents = ChunkExtents(extents(inputs.map(\.shape)), .host, units: 1)
    return extents.groups * extents.forwardScratch(of: Self.self) * MemoryLayout<Float>.size
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    if device.description.kernelStyle == .graphics, let tiled {
      let isShort = extents(inputs.map(\.shape)).time <= ChunkConfiguration.longestStep
      return isShort
        ? try tiled.runTiledSteps(on: device, inputs, outputs)
        : try tiled.runTiled(on: device, inputs, outputs)
    }
    let configuration = device.configuration(ChunkConfiguration.self, for: Self.kernels.name)
    let units = device.description.computeUnits
    try launch(inputs, outputs, on: device, configuration, units: units).enqueue(on: device, configuration)
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    launch(inputs, outputs, on: device, .host, units: device.threads.count).run(on: device)
  }

  private func launch(
    _ inputs: [Tensor], _ outputs: [Tensor], on device: any Device, _ configuration: ChunkConfiguration,
    units: Int,
  ) -> RecurrenceLaunch {
    let size = extents(inputs.map(\.shape))
    let extents = ChunkExtents(size, configuration, units: units)
    let given = kernelInputs(inputs) + outputs.map(\.memory)
    let name = Self.kernels.name
    guard size.time > ChunkConfiguration.longestStep else {
      return RecurrenceLaunch(
        kernel: name + "_step", family: name, host: Self.kernels.step, memories: given,
        documentsPosition: Self.kernelOperands, sizes: [], integers: kernelSizes(size) + kernelFlags,
        scale: options.scale, groups: extents.stepGroups, grain: max(1, 8192 / max(1, size.width * size.time))
      )
    }
    let scratch = extents.forwardScratch(of: Self.self)
    return RecurrenceLaunch(
      kernel: name + "_forward", family: name, host: Self.kernels.forward,
      memories: given + [device.allocate(extents.groups * scratch, of: .float32)],
      documentsPosition: Self.kernelOperands, sizes: [scratch],
      integers: kernelSizes(size) + [extents.groupHeads] + kernelFlags, scale: options.scale,
      groups: extents.groups)
  }

  /// Operands, documents and initial state as the kernels take them.
  fileprivate func kernelInputs(_ inputs: [Tensor]) -> [Memory?] {
    let (initial, documents) = options.extras(of: inputs, from: operands.count)
    return Self.padded(inputs.prefix(operands.count).map(\.memory)) + [documents?.memory, initial?.memory]
  }

  fileprivate static func padded(_ memories: [Memory]) -> [Memory?] {
    memories + [Memory?](repeating: nil, count: kernelOperands - memories.count)
  }

  fileprivate func kernelSizes(_ size: RecurrenceExtents) -> [Int] {
    let sharesKeys = operands[0].extent == .sharedRow
    return [size.time, size.heads] + (sharesKeys ? [size.keyHeads] : []) + [size.width, size.valueWidth]
  }
}

extension RecurrenceGradient {
  func workspace(_ inputs: [TensorType]) -> Int {
    let size = forward.extents(inputs.map(\.shape))
    let extents = ChunkExtents(size, .host, units: 1)
    let kept = size.batch * size.heads * Forward.scratch(extents).kept
    return (extents.groups * extents.backwardScratch(of: Forward.self) + kept) * MemoryLayout<Float>.size
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    if device.description.kernelStyle == .graphics, let tiled = forward.tiled {
      let cotangents = RecurrenceCotangents(
        output: inputs[cotangentPosition],
        final: hasFinalCotangent ? inputs[cotangentPosition + 1].memory : nil,
        initialGradient: forward.options.hasInitialState ? outputs.last?.memory : nil,
        needsOptional: needsOptional)
      return try tiled.runTiledGradient(on: device, inputs, cotangents, outputs)
    }
    let configuration = device.configuration(ChunkConfiguration.self, for: Forward.kernels.name)
    let units = device.description.computeUnits
    try launch(inputs, outputs, on: device, configuration, units: units).enqueue(on: device, configuration)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    launch(inputs, outputs, on: device, .host, units: device.threads.count).run(on: device)
  }

  private func launch(
    _ inputs: [Tensor], _ outputs: [Tensor], on device: any Device, _ configuration: ChunkConfiguration,
    units: Int,
  ) -> RecurrenceLaunch {
    let size = forward.extents(inputs.map(\.shape))
    let extents = ChunkExtents(size, configuration, units: units)
    let scratch = extents.backwardScratch(of: Forward.self)
    let kept = Forward.scratch(extents).kept
    let final = hasFinalCotangent ? inputs[cotangentPosition + 1].memory : nil
    let initialGradient = forward.options.hasInitialState ? outputs.last?.memory : nil
    let work = [
      device.allocate(extents.groups * scratch, of: .float32),
      device.allocate(size.batch * size.heads * kept, of: .float32),
    ]
    let name = Forward.kernels.name + "_backward"
    return RecurrenceLaunch(
      kernel: name, family: name, host: Forward.kernels.backward,
      memories: forward.kernelInputs(inputs) + [inputs[cotangentPosition].memory, final]
        + Forward.padded(outputs.prefix(positions.count).map(\.memory)) + [initialGradient] + work,
      documentsPosition: Forward.kernelOperands, sizes: [scratch, kept],
      integers: forward.kernelSizes(size) + [extents.groupHeads] + forward.kernelFlags,
      scale: forward.options.scale, groups: extents.groups)
  }
}
