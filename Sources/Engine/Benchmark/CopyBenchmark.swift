import Kernels

/// Two arrays far larger than any cache.
struct CopyArrays {
  let source: Memory
  let target: Memory

  /// Above this size no cache helps.
  private static let wanted = 256 << 20

  /// Bytes of one array that are far larger than caches, where the device takes so many: at most an eighth of its
  /// memory.
  static func largeByteCount(on device: DeviceDescription) -> Int {
    min(wanted, device.largestAllocation, device.memoryByteCount / 8) / 64 * 64
  }

  /// - Parameter byteCount: Of each array, a multiple of 64; nil takes ``largeByteCount(on:)``.
  /// - Throws: ``KernelError`` for a size that the device does not take.
  init(on device: any OperationDevice, byteCount: Int? = nil) throws {
    let count = (byteCount ?? Self.largeByteCount(on: device.description)) / 4
    try device.description.requireRoom(for: [[count], [count]])
    source = device.allocate(count, of: .float32)
    target = device.allocate(count, of: .float32)
    device.write(BenchmarkValues.make(.uniform(-1...1), count: count, stream: "copy"), to: source)
    device.zero(target)
  }

  /// Read plus written.
  var bytesMoved: Double { 2 * Double(source.byteCount) }
}

/// A way to copy on a device.
enum CopyMethod: String, CaseIterable {
  /// Plain loads and stores, as kernels make them.
  case kernel
  /// The driver's own copy; `memcpy` of all threads on the host.
  case driver

  static func all(on device: any OperationDevice) -> [CopyMethod] {
    device is OpenCLDevice ? [.kernel, .driver] : [.driver]
  }

  func run(_ arrays: CopyArrays, _ device: any OperationDevice) throws {
    switch (self, device) {
    case (.kernel, let device as OpenCLDevice): try Self.copyByKernel(arrays, device)
    case (.driver, let device as HostDevice): Self.copyByThreads(arrays, device)
    default: device.copy(arrays.source, to: arrays.target)
    }
  }

  private static func copyByKernel(_ arrays: CopyArrays, _ device: OpenCLDevice) throws {
    let shape = RoofShape.all(for: device.description)[0]
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt32> =
      try device.kernel("roof_copy", in: "roof", shape.definitions)
    let count = arrays.source.count / 4
    let block = shape.group == 1 ? 16_384 : 4
    let perGroup = block * shape.group
    kernel(
      Buffer(arrays.source), Buffer(arrays.target), UInt64(count), UInt32(block),
      over: .groups((count + perGroup - 1) / perGroup))
  }

  /// One range per thread: `memcpy` passes the cache by only for large ranges.
  private static func copyByThreads(_ arrays: CopyArrays, _ device: HostDevice) {
    guard let x = HostArray<Float>(arrays.source), let y = HostArray<Float>(arrays.target) else { return }
    let grain = (x.count + device.threads.count - 1) / device.threads.count
    device.threads.forRanges(x.count, grain: grain) { range in
      (y.pointer + range.lowerBound).update(from: x.pointer + range.lowerBound, count: range.count)
    }
  }
}

extension KernelBenchmark {
  /// Copies one array to another, by the ways that a device has.
  ///
  /// - Parameter byteCount: Of one array; nil takes what is far larger than caches.
  public static func copies(byteCount: Int? = nil, on device: any OperationDevice) -> [KernelBenchmark] {
    CopyMethod.all(on: device).map { method in
      let size = byteCount ?? CopyArrays.largeByteCount(on: device.description)
      return KernelBenchmark("copy", [.init("bytes", "\(size)"), .init("by", method.rawValue)]) { device in
        let arrays = try CopyArrays(on: device, byteCount: size)
        return PreparedBenchmark(
          cost: Cost(flops: 0, bytes: arrays.bytesMoved), run: { try method.run(arrays, device) },
          verify: {
            let copied = try device.read(arrays.target, as: Float.self)
            return copied == (try device.read(arrays.source, as: Float.self))
              ? .passed(worst: 0) : .failed(reason: "the copy differs from its source")
          })
      }
    }
  }
}
