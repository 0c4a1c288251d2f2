import CHost
import Kernels

/// Measures what a device can do at most: the rates that shares of results refer to.
public struct RoofMeasurement: Sendable {
  /// Seconds for each shape of each of the two rates.
  public var budget: Double

  public init(budget: Double = 0.5) { self.budget = budget }

  /// - Throws: ``BenchmarkError/impossibleReading`` and the device's failures.
  public func measure(_ device: any OperationDevice) throws -> DeviceRoof {
    let flops = try FMAChains.all(on: device).map { chains in
      try chains.flops / best(of: [chains.contestant], of: "multiply-adds", on: device)
    }.max()
    let arrays = try CopyArrays(on: device)
    let copies = CopyMethod.all(on: device)
    let bytes = try copies.map { method in
      let contestant = Measurement.Contestant(
        run: { try method.run(arrays, device) }, finish: { try device.finish() })
      return try arrays.bytesMoved / best(of: [contestant], of: "copy", on: device)
    }.max()
    guard let flops, let bytes, flops.isFinite, bytes.isFinite else {
      throw BenchmarkError.impossibleReading(what: "roof", device: device.description.name, seconds: 0)
    }
    return DeviceRoof(
      device: device.description.name, flopsPerSecond: flops, bytesPerSecond: bytes,
      sgemmPeak: device.description.isProcessor ? TrainingBenchmark.sgemmPeak() : nil)
  }

  /// The shortest sample: a roof is what can be reached, not what is usual.
  private func best(
    of contestants: [Measurement.Contestant], of what: String, on device: any OperationDevice,
  ) throws -> Double {
    let samples = try Measurement(budget: budget).samples(of: contestants)[0]
    guard let best = samples.min(), best > 0, best.isFinite else {
      throw BenchmarkError.impossibleReading(
        what: what, device: device.description.name, seconds: samples.min() ?? 0)
    }
    return best
  }
}

/// Independent chains of multiply-adds that keep every unit of a device busy.
struct FMAChains {
  /// FLOPs of one execution.
  let flops: Double
  let contestant: Measurement.Contestant

  private static let chains = 12
  private static let factor: Float = 0.999
  private static let addend: Float = 0.001
  private static let start: Float = 0.5

  /// The shapes worth trying; the best one counts.
  static func all(on device: any OperationDevice) throws -> [FMAChains] {
    switch device {
    case let device as OpenCLDevice:
      try RoofShape.all(for: device.description).map { try FMAChains(on: device, $0) }
    case let device as HostDevice: [8, 16].map { FMAChains(on: device, width: $0) }
    default: []
    }
  }

  private init(on device: OpenCLDevice, _ shape: RoofShape) throws {
    let rounds = 20_000
    // A few groups per unit level out what the scheduler does.
    let groups = device.description.computeUnits * (shape.group == 1 ? 4 : 32)
    let target = device.allocate(groups * shape.group * shape.vector, of: .float32)
    let kernel: Kernel<Buffer<Float>, UInt32, Float, Float, Float> =
      try device.kernel("roof_fma", in: "roof", shape.definitions)
    flops = 2 * Double(Self.chains * rounds) * Double(groups * shape.group * shape.vector)
    contestant = Measurement.Contestant(
      run: {
        kernel(
          Buffer(target), UInt32(rounds), Self.start, Self.factor, Self.addend, over: .groups(groups))
      }, finish: { try device.finish() })
  }

  private init(on device: HostDevice, width: Int) {
    let rounds = 20_000
    let items = 4 * device.threads.count
    let sums = device.allocate(items * width, of: .float32)
    flops = 2 * Double(Self.chains * rounds) * Double(items * width)
    contestant = Measurement.Contestant(
      run: {
        guard let y = HostArray<Float>(sums) else { return }
        let chains = width == 8 ? nibble_fma_chains_8 : nibble_fma_chains_16
        device.threads.forRanges(items, grain: 1) { range in
          for item in range { chains(y.pointer + item * width, rounds, Self.start, Self.factor, Self.addend) }
        }
      }, finish: { try device.finish() })
  }
}
