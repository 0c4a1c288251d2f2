import COpenCL
import Files

/// One OpenCL device with its context, its in-order queue, its programs and its pool of buffers.
public final class OpenCLDevice: Device {
  public let description: DeviceDescription
  public let failure = FailureLatch()
  public private(set) var memoryUse = MemoryUse()
  /// Kernel launches since the device was opened.
  public internal(set) var launchCount = 0
  /// Records every command while it is set; see ``startProfile()``.
  var commandRecorder: CommandRecorder?

  let context: cl_context
  let device: cl_device_id
  let queue: cl_command_queue
  private var pool = BlockPool<cl_mem>()
  private var programs: [ProgramKey: Program] = [:]
  private var generatedPrograms: [AnyHashable: Program] = [:]
  private let binaries: ProgramCache
  /// Measured configurations, and those already looked up.
  let tuning: TuningDatabase
  var configurations: [TuningKey: any KernelConfiguration] = [:]
  /// By family, whatever the problem.
  var forcedConfigurations: [String: any KernelConfiguration] = [:]
  /// Called before a program is built from source: it can take seconds.
  public var onBuild: ((_ program: String) -> Void)?
  /// Told once of each entry of the tuning database for exactly this device that cannot be used.
  public var onIgnoredEntry: ((TuningDatabase.Entry, TuningFault) -> Void)?

  /// - Parameters:
  ///   - binaries: Where built programs are kept; nil for the cache that the environment names.
  ///   - tuning: Measured configurations; nil for the shipped ones and the user's.
  init(_ candidate: OpenCLCandidate, binaries: ProgramCache? = nil, tuning: TuningDatabase? = nil) throws {
    self.tuning = try tuning ?? TuningDatabase.load()
    description = candidate.description
    device = candidate.device
    var status: cl_int = 0
    var ids: cl_device_id? = candidate.device
    var properties: [cl_context_properties] = [
      cl_context_properties(CL_CONTEXT_PLATFORM), cl_context_properties(Int(bitPattern: candidate.platform)),
      0,
    ]
    guard let context = clCreateContext(&properties, 1, &ids, nil, nil, &status) else {
      throw KernelError.callFailed(call: "clCreateContext", device: description.name, code: status)
    }
    self.context = context
    let flags = cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE)
    guard let queue = clCreateCommandQueue(context, candidate.device, flags, &status) else {
      clReleaseContext(context)
      throw KernelError.callFailed(call: "clCreateCommandQueue", device: description.name, code: status)
    }
    self.queue = queue
    self.binaries = binaries ?? ProgramCache(device: candidate.description, folder: ProgramCache.folder())
  }

  deinit {
    clFinish(queue)
    programs = [:]
    generatedPrograms = [:]
    for block in pool.drain() { clReleaseMemObject(block) }
    clReleaseCommandQueue(queue)
    clReleaseContext(context)
  }

  func latch(_ call: String, _ status: cl_int) {
    failure.set(KernelError.callFailed(call: call, device: description.name, code: status))
  }

  // MARK: Memory

  public func allocate(_ count: Int, of element: ElementType) -> Memory {
    let size = BlockPool<Void>.blockSize(for: count * element.byteCount)
    guard let handle = pool.take(size: size) ?? makeBlock(size: size) else {
      return OpenCLMemory(element: element, count: count, owner: nil)
    }
    memoryUse.add(size)
    return OpenCLMemory(
      element: element, count: count, owner: OpenCLBlock(device: self, handle: handle, size: size))
  }

  private func makeBlock(size: Int) -> cl_mem? {
    guard size <= description.largestAllocation else {
      failure.set(
        KernelError.allocationTooLarge(
          device: description.name, byteCount: size, limit: description.largestAllocation))
      return nil
    }
    if memoryUse.reserved + size > description.memoryByteCount { releaseFreeBlocks() }
    if let block = createBuffer(size) { return block }
    releaseFreeBlocks()
    if let block = createBuffer(size) { return block }
    failure.set(
      KernelError.outOfMemory(
        device: description.name, byteCount: size, live: memoryUse.live, limit: description.memoryByteCount))
    return nil
  }

  private func createBuffer(_ size: Int) -> cl_mem? {
    guard memoryUse.reserved + size <= description.memoryByteCount else { return nil }
    var status: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR)
    let block = clCreateBuffer(context, flags, size, nil, &status)
    guard status == CL_SUCCESS, let block else { return nil }
    memoryUse.reserved += size
    return block
  }

  /// Gives free blocks back to the driver; waits for the queue, which may still use them.
  private func releaseFreeBlocks() {
    guard pool.freeByteCount > 0 else { return }
    clFinish(queue)
    memoryUse.reserved -= pool.freeByteCount
    for block in pool.drain() { clReleaseMemObject(block) }
  }

  func recycle(_ handle: cl_mem, size: Int) {
    pool.give(handle, size: size)
    memoryUse.remove(size)
  }

  // MARK: Transfers

  public func write<Scalar: DeviceScalar>(_ values: [Scalar], to memory: Memory) {
    precondition(values.count == memory.count, "write of \(values.count) values to \(memory.count) elements")
    guard !failure.isSet, !values.isEmpty, let handle = (memory as? OpenCLMemory)?.handle else { return }
    let status = values.withUnsafeBytes { bytes in
      transfer("write", isBlocking: true) {
        clEnqueueWriteBuffer(
          queue, handle, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress, 0, nil, $0)
      }
    }
    if status != CL_SUCCESS { latch("clEnqueueWriteBuffer", status) }
  }

  public func writeSmall(_ values: [Float], to memory: Memory) {
    precondition(values.count == memory.count && values.count <= Memory.smallWriteLimit, "not a small write")
    guard !failure.isSet, let handle = (memory as? OpenCLMemory)?.handle else { return }
    // A fill's pattern is copied when it is enqueued, so nothing waits. Patterns have lengths of powers of two and
    // start at multiples of them: 13 values are fills of 8, 4 and 1.
    var start = 0
    while start < values.count {
      let length = 1 << (Int.bitWidth - 1 - (values.count - start).leadingZeroBitCount)
      let size = length * MemoryLayout<Float>.size
      let status = values[start..<start + length].withUnsafeBytes { bytes in
        transfer("fill") {
          clEnqueueFillBuffer(
            queue, handle, bytes.baseAddress, size, start * MemoryLayout<Float>.size, size, 0, nil, $0)
        }
      }
      if status != CL_SUCCESS { return latch("clEnqueueFillBuffer", status) }
      start += length
    }
  }

  public func read<Scalar: DeviceScalar>(_ memory: Memory, as type: Scalar.Type) throws -> [Scalar] {
    try failure.throwIfSet()
    precondition(memory.element == Scalar.elementType, "memory of \(memory.element) read as \(type)")
    guard memory.count > 0, let handle = (memory as? OpenCLMemory)?.handle else { return [] }
    var status: cl_int = 0
    let values = [Scalar](unsafeUninitializedCapacity: memory.count) { buffer, count in
      status = transfer("read", isBlocking: true) {
        clEnqueueReadBuffer(
          queue, handle, cl_bool(CL_TRUE), 0, memory.byteCount, buffer.baseAddress, 0, nil, $0)
      }
      count = status == CL_SUCCESS ? memory.count : 0
    }
    if status != CL_SUCCESS { latch("clEnqueueReadBuffer", status) }
    try failure.throwIfSet()
    return values
  }

  public func copy(_ source: Memory, to destination: Memory) {
    precondition(source.byteCount == destination.byteCount, "copy between memories of different sizes")
    guard !failure.isSet, source.count > 0, let from = (source as? OpenCLMemory)?.handle,
      let to = (destination as? OpenCLMemory)?.handle
    else { return }
    let status = transfer("copy") {
      clEnqueueCopyBuffer(queue, from, to, 0, 0, source.byteCount, 0, nil, $0)
    }
    if status != CL_SUCCESS { latch("clEnqueueCopyBuffer", status) }
  }

  public func zero(_ memory: Memory) { fill(memory, pattern: UInt8(0)) }

  public func fill(_ memory: Memory, with value: Float) {
    precondition(memory.element == .float32, "a fill of \(memory.element)")
    fill(memory, pattern: value)
  }

  private func fill(_ memory: Memory, pattern: some BitwiseCopyable) {
    guard !failure.isSet, memory.count > 0, let handle = (memory as? OpenCLMemory)?.handle else { return }
    let status = withUnsafeBytes(of: pattern) { bytes in
      transfer("fill") {
        clEnqueueFillBuffer(queue, handle, bytes.baseAddress, bytes.count, 0, memory.byteCount, 0, nil, $0)
      }
    }
    if status != CL_SUCCESS { latch("clEnqueueFillBuffer", status) }
  }

  public func finish() throws {
    let status = clFinish(queue)
    if status != CL_SUCCESS { latch("clFinish", status) }
    try failure.throwIfSet()
  }

  // MARK: Programs

  /// The kernel `name` of family `family`, specialized by `definitions`; built on first use.
  ///
  /// - Parameters:
  ///   - definitions: Macros that specialize the program, `-D name=value`.
  public func kernel<each Argument: KernelArgument>(
    _ name: String, in family: String, _ definitions: [String: String] = [:],
    as type: Kernel<repeat each Argument>.Type = Kernel<repeat each Argument>.self,
  ) throws -> Kernel<repeat each Argument> {
    Kernel(try program(family, definitions).kernel(name), device: self)
  }

  /// The same for a kernel whose list of arguments is put together at run time.
  public func untypedKernel(_ name: String, in family: String, _ definitions: [String: String]) throws
    -> UntypedKernel
  {
    UntypedKernel(try program(family, definitions).kernel(name), device: self)
  }

  private func program(_ family: String, _ definitions: [String: String]) throws -> Program {
    let key = ProgramKey(family: family, definitions: definitions)
    if let program = programs[key] { return program }
    let program = try build(key, source: KernelSources.source(of: family))
    programs[key] = program
    return program
  }

  /// A kernel whose program text was made at run time (elementwise expressions) and whose number of arguments is only
  /// known then.
  ///
  /// - Parameters:
  ///   - family: The program's name in messages.
  ///   - identity: What the text is made from: equal identities must come with equal texts.
  public func generatedKernel(
    _ name: String, in family: String, from identity: AnyHashable, source: () -> String,
  ) throws -> UntypedKernel {
    if let program = generatedPrograms[identity] {
      return UntypedKernel(try program.kernel(name), device: self)
    }
    let program = try build(ProgramKey(family: family, definitions: [:]), source: source())
    generatedPrograms[identity] = program
    return UntypedKernel(try program.kernel(name), device: self)
  }

  private func build(_ key: ProgramKey, source: String) throws -> Program {
    try Program(
      key: key, source: source, context: context, device: device, description: description, cache: binaries,
      onBuild: onBuild)
  }
}
