import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices, .enabled(if: FirstOpenCLDevice.exists)) struct OpenCLMemoryTests {
  @Test func aFullDeviceIsAnErrorAndRecovers() throws {
    let device = try FirstOpenCLDevice.open()
    let limit = device.description.memoryByteCount
    let part = min(device.description.largestAllocation, limit / 3) / 2
    do {
      var held: [Memory] = []
      // Nothing touches the memory, so the system commits none of it.
      while !device.failure.isSet, held.count < 64 { held.append(device.allocate(part, of: .uint8)) }
      let live = device.memoryUse.live
      #expect(live <= limit)
      let error = #expect(throws: KernelError.self) { try device.finish() }
      guard case .outOfMemory(device.description.name, let byteCount, live, limit)? = error else {
        Issue.record("another error: \(String(describing: error))")
        return
      }
      #expect(byteCount >= part && live + byteCount > limit)
    }
    #expect(device.memoryUse.live == 0)
    // Free blocks of other sizes are given back to make room.
    let large = device.allocate(part + part / 2, of: .uint8)
    let larger = device.allocate(part + part / 3, of: .uint8)
    try device.finish()
    #expect(device.memoryUse.reserved <= limit)
    #expect(large.count > larger.count)
  }

  @Test func aMisalignedViewIsAnErrorNotACrash() throws {
    let device = try FirstOpenCLDevice.open()
    let whole = device.allocate(2048, of: .float32)
    device.zero(whole)
    let view = whole.view(from: 1, count: 4)
    device.write([1, 2, 3, 4] as [Float], to: view)
    let error = #expect(throws: KernelError.self) { try device.finish() }
    #expect(error?.description.contains("clCreateSubBuffer") == true)
    #expect(error?.description.contains("CL_MISALIGNED_SUB_BUFFER_OFFSET (-13)") == true)
    #expect(try device.read(whole, as: Float.self) == [Float](repeating: 0, count: 2048))
  }

  @Test func aBlockIsReusedWhileItsLaunchesAreQueued() throws {
    let device = try FirstOpenCLDevice.open()
    let result = device.allocate(1024, of: .float32)
    device.zero(result)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32> =
      try device.kernel(
        "copy_columns", in: "columns", ["ACCUMULATE": "1"])
    for round in 1...20 {
      // The block is released right after the launch is enqueued and serves the next round.
      let scratch = device.allocate(1024, of: .float32)
      device.write([Float](repeating: Float(round), count: 1024), to: scratch)
      kernel(Buffer(scratch), Buffer(result), 1024, 1024, 0, 1024, 0, over: .groups(1))
    }
    #expect(try device.read(result, as: Float.self) == [Float](repeating: 210, count: 1024))
    #expect(device.memoryUse.reserved == 8192)
  }
}
