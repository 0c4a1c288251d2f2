import Glibc

/// The host's own processor: BLAS for matrix products, vectorized and threaded loops for the rest.
public final class HostDevice: Device {
  public let description: DeviceDescription
  public let failure = FailureLatch()
  public let threads: HostThreads
  public private(set) var memoryUse = MemoryUse()
  public private(set) var recorder: ProfileRecorder?
  private var pool = BlockPool<UnsafeMutableRawPointer>()

  /// - Parameter threads: Number of host threads; nil takes `NIBBLE_THREADS` or all processors.
  public init(threads: Int? = nil) {
    self.threads = HostThreads(count: threads ?? HostThreads.defaultCount)
    BLAS.setThreads(self.threads.count)
    description = HostDevice.describe(threads: self.threads.count)
  }

  deinit {
    for block in pool.drain() { free(block) }
  }

  public static func describe(threads: Int) -> DeviceDescription {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let memory = pages * sysconf(Int32(_SC_PAGESIZE))
    return DeviceDescription(
      name: "cpu", product: "host processor, \(threads) threads", vendor: "-", driver: BLAS.version,
      isProcessor: true, computeUnits: threads, memoryByteCount: memory, largestAllocation: memory,
    )
  }

  public func allocate(_ count: Int, of element: ElementType) -> Memory {
    let size = BlockPool<Void>.blockSize(for: count * element.byteCount)
    let block = pool.take(size: size) ?? makeBlock(size: size) ?? makeBlockAfterDraining(size: size)
    guard let block else {
      failure.set(
        KernelError.outOfMemory(
          device: description.name, byteCount: size, live: memoryUse.live, limit: description.memoryByteCount)
      )
      return HostMemory(element: element, count: count, pointer: nil, owner: nil)
    }
    memoryUse.add(size)
    return HostMemory(
      element: element, count: count, pointer: block,
      owner: HostBlock(device: self, pointer: block, size: size))
  }

  private func makeBlock(size: Int) -> UnsafeMutableRawPointer? {
    guard memoryUse.reserved + size <= description.memoryByteCount else { return nil }
    let block = aligned_alloc(Memory.viewAlignment, size)
    if block != nil { memoryUse.reserved += size }
    return block
  }

  /// Gives the free blocks back to the system and tries again.
  private func makeBlockAfterDraining(size: Int) -> UnsafeMutableRawPointer? {
    guard pool.freeByteCount > 0 else { return nil }
    memoryUse.reserved -= pool.freeByteCount
    for block in pool.drain() { free(block) }
    return makeBlock(size: size)
  }

  fileprivate func recycle(_ block: UnsafeMutableRawPointer, size: Int) {
    pool.give(block, size: size)
    memoryUse.remove(size)
  }

  public func write<Scalar: DeviceScalar>(_ values: [Scalar], to memory: Memory) {
    guard let target = HostArray<Scalar>(memory) else { return }
    precondition(values.count == target.count, "write of \(values.count) values to \(target.count) elements")
    target.initialize(from: values)
  }

  public func writeSmall(_ values: [Float], to memory: Memory) { write(values, to: memory) }

  public func read<Scalar: DeviceScalar>(_ memory: Memory, as type: Scalar.Type) throws -> [Scalar] {
    try finish()
    guard let source = HostArray<Scalar>(memory) else { return [] }
    return source.array
  }

  public func copy(_ source: Memory, to destination: Memory) {
    precondition(source.byteCount == destination.byteCount, "copy between memories of different sizes")
    guard let from = (source as? HostMemory)?.pointer, let to = (destination as? HostMemory)?.pointer else {
      return
    }
    memmove(to, from, source.byteCount)
  }

  public func zero(_ memory: Memory) {
    guard let pointer = (memory as? HostMemory)?.pointer else { return }
    memset(pointer, 0, memory.byteCount)
  }

  public func fill(_ memory: Memory, with value: Float) {
    guard let elements = HostArray<Float>(memory) else { return }
    elements.pointer.update(repeating: value, count: elements.count)
  }

  public func finish() throws { try failure.throwIfSet() }
}

extension HostDevice: ProfilingDevice {
  public func startProfile() { recorder = ProfileRecorder() }

  public func stopProfile() throws -> DeviceProfile {
    guard let recorder else { preconditionFailure("the device is not watched") }
    self.recorder = nil
    try finish()
    return recorder.finish()
  }
}

/// Returns a block to its device when the last memory that shares it is gone.
private final class HostBlock {
  let device: HostDevice
  let pointer: UnsafeMutableRawPointer
  let size: Int

  init(device: HostDevice, pointer: UnsafeMutableRawPointer, size: Int) {
    self.device = device
    self.pointer = pointer
    self.size = size
  }

  deinit { device.recycle(pointer, size: size) }
}

/// Memory of a ``HostDevice``.
public final class HostMemory: Memory {
  let pointer: UnsafeMutableRawPointer?
  private let owner: AnyObject?

  init(element: ElementType, count: Int, pointer: UnsafeMutableRawPointer?, owner: AnyObject?) {
    self.pointer = pointer
    self.owner = owner
    super.init(element: element, count: count)
  }

  public override func view(from start: Int, count: Int) -> Memory {
    precondition(start >= 0 && count >= 0 && start + count <= self.count, "view outside its memory")
    return HostMemory(
      element: element, count: count, pointer: pointer.map { $0 + start * element.byteCount }, owner: owner)
  }
}
