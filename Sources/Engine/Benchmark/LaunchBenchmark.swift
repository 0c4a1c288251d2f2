import Kernels

extension KernelBenchmark {
  /// The cost of a launch that does nothing: waited for one by one, and queued one behind the other.
  ///
  /// On the host, of handing nothing to all threads.
  public static func launches() -> [KernelBenchmark] {
    [true, false].map { waits in
      KernelBenchmark("launch", [.init("each", waits ? "waited for" : "queued")]) { device in
        let launch = try emptyLaunch(on: device)
        return PreparedBenchmark(
          cost: nil,
          run: {
            launch()
            if waits { try device.finish() }
          }, verify: { .notApplicable })
      }
    }
  }

  private static func emptyLaunch(on device: any OperationDevice) throws -> () -> Void {
    if let host = device as? HostDevice {
      return { host.threads.forRanges(host.threads.count, grain: 1) { _ in } }
    }
    guard let device = device as? OpenCLDevice else { return {} }
    let shape = RoofShape.all(for: device.description)[0]
    let kernel: Kernel<Buffer<Float>> = try device.kernel("roof_empty", in: "roof", shape.definitions)
    let target = device.allocate(16, of: .float32)
    return { kernel(Buffer(target), over: .groups(1)) }
  }
}
