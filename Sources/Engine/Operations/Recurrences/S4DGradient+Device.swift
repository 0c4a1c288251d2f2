import CHost
import Kernels

extension S4DGradient {
  func workspace(_ inputs: [TensorType]) -> Int {
    let launch = S4DLaunch.host(inputs)
    return (launch.systemFloats + launch.backwardScratch + launch.sums) * MemoryLayout<Float>.size
  }

  private typealias BackwardKernel = Kernel<
    Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    Int32, Int32, Int32
  >
  private typealias FinishKernel = Kernel<
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
    Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32
  >

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = S4DLaunch(inputs, on: device)
    let operands = operands(of: inputs)
    let to = outputs.map { Buffer<Float>($0.memory) }
    let system = try launch.system(on: device, inputs)
    let sums = device.allocate(launch.sums, of: .float32)
    let scratch = device.allocate(launch.backwardScratch, of: .float32)
    let backward: BackwardKernel = try device.kernel("s4d_backward", in: "s4d_backward", launch.definitions)
    backward(
      Buffer(inputs[0].memory), Buffer(operands.documents?.memory), Buffer(system), Buffer(inputs[6].memory),
      Buffer(operands.real?.memory), Buffer(operands.imaginary?.memory), Buffer(operands.cotangent.memory),
      Buffer(operands.finalReal?.memory), Buffer(operands.finalImaginary?.memory), to[0],
      Buffer(forward.hasInitialState ? outputs[7].memory : nil),
      Buffer(forward.hasInitialState ? outputs[8].memory : nil), Buffer(sums), Buffer(scratch),
      launch.timeNumber, launch.channelNumber, launch.stateNumber, over: .groups(launch.channels.groups))
    let finish: FinishKernel = try device.kernel("s4d_finish", in: "s4d_backward", launch.definitions)
    finish(
      Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory), Buffer(system),
      Buffer(sums), to[1], to[2], to[3], to[4], to[5], to[6], launch.batchNumber, launch.channelNumber,
      launch.stateNumber, over: .groups(launch.channels.across))
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = S4DLaunch.host(inputs.map(\.type))
    let operands = operands(of: inputs)
    let sums = device.allocate(launch.sums, of: .float32)
    let scratch = device.allocate(launch.backwardScratch, of: .float32)
    guard let system = launch.system(on: device, inputs),
      let from = FloatArrays(
        inputs.prefix(7).map(\.memory)
          + [
            operands.real?.memory, operands.imaginary?.memory, operands.cotangent.memory,
            operands.finalReal?.memory, operands.finalImaginary?.memory,
          ]),
      let own = FloatArrays([system, sums, scratch]),
      let to = FloatArrays(outputs.map(\.memory) + (forward.hasInitialState ? [] : [nil, nil]))
    else { return }
    defer { withExtendedLifetime((system, sums, scratch)) {} }
    let ids = operands.documents.flatMap { HostArray<Int32>($0.memory) }
    device.threads.forGroups(launch.channels.groups) {
      nibble_s4d_backward()(
        from[0], ids?.pointer, own[0], from[6], from.optional(7), from.optional(8), from[9],
        from.optional(10), from.optional(11), to[0], to.optional(7), to.optional(8), own[1], own[2],
        launch.timeNumber, launch.channelNumber, launch.stateNumber)
    }
    device.threads.forGroups(launch.channels.across) {
      nibble_s4d_finish()(
        from[1], from[2], from[3], own[0], own[1], to[1], to[2], to[3], to[4], to[5], to[6],
        launch.batchNumber, launch.channelNumber, launch.stateNumber)
    }
  }
}
