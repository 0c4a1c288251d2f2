import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices, .enabled(if: FirstOpenCLDevice.exists)) struct KernelTests {
  private typealias CopyColumns = Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32>

  /// The kernel under test through another argument list.
  private func copyColumns<each Argument: KernelArgument>(
    on device: OpenCLDevice, as type: Kernel<repeat each Argument>.Type,
  ) throws -> Kernel<repeat each Argument> {
    try device.kernel("copy_columns", in: "columns", as: type)
  }

  private func memories(_ device: OpenCLDevice) -> (from: Memory, to: Memory) {
    let (from, to) = (device.allocate(6, of: .float32), device.allocate(6, of: .float32))
    device.write([1, 2, 3, 4, 5, 6] as [Float], to: from)
    device.zero(to)
    return (from, to)
  }

  private func expectMismatch(
    _ error: KernelError?, position: Int, name: String, declared: String, given: String,
    sourceLocation: SourceLocation = #_sourceLocation,
  ) {
    #expect(
      error?.description == """
        kernel 'copy_columns': argument \(position) ('\(name)') is declared as \(declared) but \(given) is passed
          hint: the launch in Swift and the parameter list in the .cl file must agree
        """, sourceLocation: sourceLocation)
  }

  @Test func launchesWithTheRightArguments() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let copy = try copyColumns(on: device, as: CopyColumns.self)
    copy(Buffer(from), Buffer(to), 2, 3, 1, 3, 0, over: .groups(2))
    #expect(try device.read(to, as: Float.self) == [2, 3, 0, 5, 6, 0])
    #expect(device.launchCount == 1)
  }

  @Test func aWrongTypeIsAnError() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let wrongNumber = try copyColumns(
      on: device, as: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, Float, UInt32, UInt32>.self)
    wrongNumber(Buffer(from), Buffer(to), 2, 3, 1, 3, 0, over: .groups(2))
    expectMismatch(
      #expect(throws: KernelError.self) { try device.finish() }, position: 4, name: "x_first",
      declared: "uint",
      given: "float")
    let wrongBuffer = try copyColumns(
      on: device, as: Kernel<Buffer<Float>, Buffer<Int32>, UInt32, UInt32, UInt32, UInt32, UInt32>.self)
    wrongBuffer(Buffer(from), Buffer(nil), 2, 3, 1, 3, 0, over: .groups(2))
    expectMismatch(
      #expect(throws: KernelError.self) { try device.finish() }, position: 1, name: "y", declared: "float*",
      given: "int*")
    #expect(device.launchCount == 0)
    #expect(try device.read(to, as: Float.self) == [0, 0, 0, 0, 0, 0])
  }

  @Test func aWrongCountIsAnError() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let tooFew = try copyColumns(
      on: device, as: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32>.self)
    tooFew(Buffer(from), Buffer(to), 2, 3, 1, 3, over: .groups(2))
    expectMismatch(
      #expect(throws: KernelError.self) { try device.finish() }, position: 6, name: "y_first",
      declared: "uint",
      given: "nothing")
    let tooMany = try copyColumns(
      on: device, as: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32, Float>.self
    )
    tooMany(Buffer(from), Buffer(to), 2, 3, 1, 3, 0, 1, over: .groups(2))
    expectMismatch(
      #expect(throws: KernelError.self) { try device.finish() }, position: 7, name: "-", declared: "nothing",
      given: "float")
  }

  @Test func everyArgumentListIsCompared() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let right = try copyColumns(on: device, as: CopyColumns.self)
    let wrong = try copyColumns(
      on: device, as: Kernel<Buffer<Float>, Buffer<Float>, UInt32, Float, UInt32, UInt32, UInt32>.self)
    // A launch that was right must not vouch for another argument list of the same kernel.
    right(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    wrong(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    expectMismatch(
      #expect(throws: KernelError.self) { try device.finish() }, position: 3, name: "x_columns",
      declared: "uint",
      given: "float")
    right(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    #expect(try device.read(to, as: Float.self) == [1, 2, 3, 4, 5, 6])
  }

  @Test func generatedKernelsAreComparedAtEveryCount() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let fill = try device.generatedKernel("fill", in: "test", from: "fill") {
      "kernel __attribute__((reqd_work_group_size(1, 1, 1))) void fill(global float *x, const float value) {"
        + " x[get_group_id(0)] = value; }"
    }
    fill([Buffer<Float>(to), Float(7)], over: .groups(3))
    fill([Buffer<Float>(to)], over: .groups(3))
    let tooFew = #expect(throws: KernelError.self) { try device.finish() }
    #expect(tooFew?.description.contains("argument 1 ('value') is declared as float but nothing") == true)
    fill([Buffer<Float>(from), Float(8), UInt32(1)], over: .groups(3))
    let tooMany = #expect(throws: KernelError.self) { try device.finish() }
    #expect(tooMany?.description.contains("argument 2 ('-') is declared as nothing but uint") == true)
    #expect(try device.read(to, as: Float.self) == [7, 7, 7, 0, 0, 0])
    #expect(try device.read(from, as: Float.self) == [1, 2, 3, 4, 5, 6])
  }

  @Test func aMissingKernelListsTheKnownOnes() throws {
    let device = try FirstOpenCLDevice.open()
    let error = #expect(throws: KernelError.self) {
      try device.kernel("copy_rows", in: "columns", as: CopyColumns.self)
    }
    #expect(error?.description == "no kernel 'copy_rows' in 'columns'\n  kernels there: copy_columns")
  }

  @Test func anUnknownFamilyListsTheKnownOnes() throws {
    let device = try FirstOpenCLDevice.open()
    let error = #expect(throws: KernelError.self) {
      try device.kernel("copy_columns", in: "colums", as: CopyColumns.self)
    }
    guard case .missingSource("colums", _, let known)? = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(known == KernelSources.families)
  }

  @Test func nothingToDoLaunchesNothing() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let copy = try copyColumns(on: device, as: CopyColumns.self)
    copy(Buffer(from), Buffer(to), 2, 3, 1, 3, 0, over: .groups(0))
    copy(Buffer(from), Buffer(to), 2, 3, 1, 3, 0, over: .items(0))
    try device.finish()
    #expect(device.launchCount == 0)
  }

  @Test func launchesAfterAFailureDoNothing() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let copy = try copyColumns(on: device, as: CopyColumns.self)
    device.failure.set(KernelError.noKernelFolder(path: "kept"))
    copy(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    #expect(throws: KernelError.self) { try device.finish() }
    #expect(device.launchCount == 0)
    #expect(try device.read(to, as: Float.self) == [0, 0, 0, 0, 0, 0])
  }

  @Test func tooMuchLocalMemoryIsRefused() throws {
    let device = try FirstOpenCLDevice.open()
    let limit = device.description.localMemoryByteCount
    let kernel = try device.generatedKernel("large", in: "test", from: "large") {
      """
      kernel __attribute__((reqd_work_group_size(1, 1, 1))) void large(global float *x) {
        local float scratch[\(limit / 4 + 64)];
        for (int i = 0; i < \(limit / 4 + 64); i++) scratch[i] = x[0] + i;
        barrier(CLK_LOCAL_MEM_FENCE);
        x[0] = scratch[(int)x[1]];
      }
      """
    }
    kernel([Buffer<Float>(device.allocate(2, of: .float32))], over: .groups(1))
    let error = #expect(throws: KernelError.self) { try device.finish() }
    guard case .localMemoryTooLarge("large", device.description.name, let byteCount, limit)? = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(byteCount >= limit + 256)
  }

  @Test func theProfileRecordsEveryCommand() throws {
    let device = try FirstOpenCLDevice.open()
    let (from, to) = memories(device)
    let copy = try copyColumns(on: device, as: CopyColumns.self)
    copy(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    device.startProfile()
    for _ in 0..<2 { copy(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2)) }
    try device.recorder?.record("copying", scope: "here", flops: 2, bytes: 3) {
      device.zero(from)
      copy(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
      _ = try device.read(from, as: Float.self)
    }
    let profile = try device.stopProfile()
    let commands = profile.commands
    #expect(commands.map(\.name) == ["copy_columns", "copy_columns", "fill", "copy_columns", "read"])
    #expect(commands.map(\.family) == ["columns", "columns", "transfer", "columns", "transfer"])
    #expect(commands.map(\.work) == [nil, nil, 0, 0, 0])
    #expect(commands.map(\.isBlocking) == [false, false, false, false, true])
    #expect(commands.allSatisfy { $0.device.seconds >= 0 && $0.host.seconds >= 0 })
    #expect(
      zip(commands, commands.dropFirst()).allSatisfy { $0.device.end <= $1.device.start },
      "the queue is in order")
    #expect(profile.lostCommands == 0)
    #expect(profile.works.map(\.operation) == ["copying"])
    #expect(profile.works[0].host.end <= profile.host.end && profile.works[0].host.seconds >= 0)
    copy(Buffer(from), Buffer(to), 3, 3, 0, 3, 0, over: .groups(2))
    try device.finish()
    #expect(device.recorder == nil)
    #expect(device.launchCount == 5)
  }
}
