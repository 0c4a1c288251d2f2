import CHost
public import Kernels

// S4D on devices: `kernels/s4d*.cl`, on OpenCL devices and compiled for the host.

/// Sizes of one launch of S4D.
struct S4DLaunch {
  let channels: ChannelLaunch
  private let time: Int
  private let channelCount: Int
  private let states: Int

  init(_ inputs: [TensorType], _ channels: ChannelLaunch) {
    self.channels = channels
    time = inputs[0].shape[1]
    channelCount = inputs[0].shape[2]
    states = inputs[2].shape[1]
  }

  init(_ inputs: [Tensor], on device: OpenCLDevice) {
    self.init(inputs.map(\.type), ChannelLaunch(inputs[0].shape, on: device))
  }

  /// On the host; plans count with it, too.
  static func host(_ inputs: [TensorType]) -> Self { Self(inputs, .host(inputs[0].shape)) }

  /// Tokens between which states are kept: fewer where a work-item has no large cache.
  private var tile: Int { channels.lanes == 1 ? 64 : 16 }
  /// States with the one that makes their number even.
  private var padded: Int { (states + 1) / 2 * 2 }

  var definitions: [String: String] {
    channels.definitions.merging(["TILE": "\(tile)"]) { first, _ in first }
  }

  /// Groups of the kernel that discretizes: one per block of channels and state.
  var systemGroups: Int { channels.across * padded }
  /// Floats of the discretized system.
  var systemFloats: Int { systemGroups * 6 * channels.width }
  var forwardScratch: Int { channels.groups * channels.width * 2 * padded }
  var backwardScratch: Int { forwardScratch * (2 + (time + tile - 1) / tile) }
  /// Floats of the parameters' gradients of all sequences.
  var sums: Int { channels.groups * channels.width * (6 * padded + 1) }

  /// The kernels' last integers.
  var timeNumber: Int32 { Int32(time) }
  var batchNumber: Int32 { Int32(channels.batch) }
  var channelNumber: Int32 { Int32(channelCount) }
  var stateNumber: Int32 { Int32(states) }

  /// The discretized system on an OpenCL device.
  func system(on device: OpenCLDevice, _ inputs: [Tensor]) throws -> Memory {
    let memory = device.allocate(systemFloats, of: .float32)
    let from = inputs.prefix(6).map { Buffer<Float>($0.memory) }
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32
      > = try device.kernel("s4d_discretize", in: "s4d", definitions)
    kernel(
      from[1], from[2], from[3], from[4], from[5], Buffer(memory), channelNumber, stateNumber,
      over: .groups(systemGroups))
    return memory
  }

  /// The discretized system on the host; nil when an allocation failed.
  func system(on device: HostDevice, _ inputs: [Tensor]) -> Memory? {
    let memory = device.allocate(systemFloats, of: .float32)
    guard let from = FloatArrays(inputs.prefix(6).map(\.memory) + [memory]) else { return nil }
    device.threads.forGroups(systemGroups, grain: 16) {
      nibble_s4d_discretize()(
        from[1], from[2], from[3], from[4], from[5], from[6], channelNumber, stateNumber)
    }
    return memory
  }
}

extension S4D {
  public func workspace(_ inputs: [TensorType]) -> Int {
    let launch = S4DLaunch.host(inputs)
    return (launch.systemFloats + launch.forwardScratch) * MemoryLayout<Float>.size
  }

  private typealias ForwardKernel = Kernel<
    Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32
  >

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = S4DLaunch(inputs, on: device)
    let extras = extras(of: inputs)
    let system = try launch.system(on: device, inputs)
    let scratch = device.allocate(launch.forwardScratch, of: .float32)
    let kernel: ForwardKernel = try device.kernel("s4d_forward", in: "s4d", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(extras.documents?.memory), Buffer(system), Buffer(inputs[6].memory),
      Buffer(extras.real?.memory), Buffer(extras.imaginary?.memory), Buffer(outputs[0].memory),
      Buffer(outputs[1].memory), Buffer(outputs[2].memory), Buffer(scratch), launch.timeNumber,
      launch.channelNumber, launch.stateNumber, over: .groups(launch.channels.groups))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = S4DLaunch.host(inputs.map(\.type))
    let extras = extras(of: inputs)
    let scratch = device.allocate(launch.forwardScratch, of: .float32)
    guard let system = launch.system(on: device, inputs),
      let arrays = FloatArrays(
        [inputs[0].memory, system, inputs[6].memory, extras.real?.memory, extras.imaginary?.memory]
          + outputs.map(\.memory) + [scratch])
    else { return }
    defer { withExtendedLifetime((system, scratch)) {} }
    let ids = extras.documents.flatMap { HostArray<Int32>($0.memory) }
    device.threads.forGroups(launch.channels.groups) {
      nibble_s4d_forward()(
        arrays[0], ids?.pointer, arrays[1], arrays[2], arrays.optional(3), arrays.optional(4), arrays[5],
        arrays[6], arrays[7], arrays[8], launch.timeNumber, launch.channelNumber, launch.stateNumber)
    }
  }
}
