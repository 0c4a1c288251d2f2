import Kernels

/// The rates that a profile refers to: the machine's sgemm peak, and the device's own copy of 64 MiB.
public enum StepRoof {
  public static func measure(_ device: any OperationDevice) throws -> DeviceRoof {
    let count = 1 << 24
    let source = device.allocate(count, of: .float32)
    let destination = device.allocate(count, of: .float32)
    device.zero(source)
    device.zero(destination)
    try device.finish()
    var best = Double.infinity
    for _ in 0..<6 {
      let start = SteadyClock.now()
      device.copy(source, to: destination)
      try device.finish()
      best = min(best, SteadyClock.now() - start)
    }
    let peak = TrainingBenchmark.sgemmPeak()
    return DeviceRoof(
      device: device.description.name, flopsPerSecond: peak, bytesPerSecond: 2 * Double(count * 4) / best,
      sgemmPeak: peak)
  }
}
