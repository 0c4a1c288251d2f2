import Testing

@testable import Kernels

/// What every device promises about memory: the host and each OpenCL device.
@Suite(.serialized, .exclusiveDevices) struct DeviceMemoryTests {
  private static let names = DeviceCatalog.list().map(\.name)

  private func numbers(_ count: Int, from start: Int = 0) -> [Float] { (0..<count).map { Float(start + $0) } }

  @Test(arguments: names) func readsWhatWasWritten(name: String) throws {
    let device = try DeviceCatalog.open(name)
    for count in [1, 2, 63, 1024, 1025, 100_003] {
      let floats = device.allocate(count, of: .float32)
      device.write(numbers(count), to: floats)
      #expect(try device.read(floats, as: Float.self) == numbers(count))
      let integers = device.allocate(count, of: .int32)
      device.write((0..<count).map { Int32($0) - 7 }, to: integers)
      #expect(try device.read(integers, as: Int32.self) == (0..<count).map { Int32($0) - 7 })
      let bytes = device.allocate(count, of: .uint8)
      device.write((0..<count).map { UInt8($0 % 251) }, to: bytes)
      #expect(try device.read(bytes, as: UInt8.self) == (0..<count).map { UInt8($0 % 251) })
    }
  }

  @Test(arguments: names) func keepsEveryBit(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let values: [Float] = [
      .nan, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, Float(bitPattern: 0x7FC0_BEEF),
    ]
    let memory = device.allocate(values.count, of: .float32)
    device.write(values, to: memory)
    #expect(try device.read(memory, as: Float.self).map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test(arguments: names) func emptyMemoryIsAllowed(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let empty = device.allocate(0, of: .float32)
    device.write([Float](), to: empty)
    device.zero(empty)
    device.copy(empty, to: device.allocate(0, of: .float32))
    #expect(try device.read(empty, as: Float.self).isEmpty)
    // A block that is used to its last byte has an empty view at its end.
    let full = device.allocate(1024, of: .float32)
    let end = full.view(from: 1024, count: 0)
    device.zero(end)
    #expect(try device.read(end, as: Float.self).isEmpty)
    try device.finish()
  }

  @Test(arguments: names) func viewsShareBytes(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let whole = device.allocate(4096, of: .float32)
    device.write(numbers(4096), to: whole)
    let part = whole.view(from: 1024, count: 2000)
    #expect(try device.read(part, as: Float.self) == numbers(2000, from: 1024))
    let inner = part.view(from: 1024, count: 10)
    #expect(try device.read(inner, as: Float.self) == numbers(10, from: 2048))
    device.write([Float](repeating: -1, count: 10), to: inner)
    var expected = numbers(4096)
    expected.replaceSubrange(2048..<2058, with: repeatElement(-1, count: 10))
    #expect(try device.read(whole, as: Float.self) == expected)
  }

  @Test(arguments: names) func aViewKeepsItsBlock(name: String) throws {
    let device = try DeviceCatalog.open(name)
    var whole: Memory? = device.allocate(5000, of: .float32)
    device.write(numbers(5000), to: try #require(whole))
    let used = device.memoryUse.live
    var view = whole?.view(from: 2048, count: 3)
    whole = nil
    #expect(device.memoryUse.live == used)
    #expect(try device.read(try #require(view), as: Float.self) == [2048, 2049, 2050])
    view = nil
    #expect(device.memoryUse.live == 0)
  }

  @Test(arguments: names) func copyAndZeroStayInside(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let source = device.allocate(3072, of: .float32)
    device.write(numbers(3072, from: 10_000), to: source)
    let target = device.allocate(3072, of: .float32)
    device.write(numbers(3072), to: target)
    device.copy(source.view(from: 2048, count: 5), to: target.view(from: 1024, count: 5))
    device.zero(target.view(from: 2048, count: 7))
    var expected = numbers(3072)
    expected.replaceSubrange(1024..<1029, with: numbers(5, from: 12_048))
    expected.replaceSubrange(2048..<2055, with: repeatElement(0, count: 7))
    #expect(try device.read(target, as: Float.self) == expected)
  }

  @Test(arguments: names) func zeroesEveryElementType(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let bytes = device.allocate(37, of: .uint8)
    device.write([UInt8](repeating: 9, count: 37), to: bytes)
    device.zero(bytes)
    #expect(try device.read(bytes, as: UInt8.self) == [UInt8](repeating: 0, count: 37))
    let integers = device.allocate(37, of: .int32)
    device.write([Int32](repeating: 9, count: 37), to: integers)
    device.zero(integers)
    #expect(try device.read(integers, as: Int32.self) == [Int32](repeating: 0, count: 37))
  }

  @Test(arguments: names) func smallWritesTouchOnlyTheirElements(name: String) throws {
    let device = try DeviceCatalog.open(name)
    for count in 1...Memory.smallWriteLimit {
      let whole = device.allocate(1024 + 32, of: .float32)
      device.write([Float](repeating: -1, count: 1056), to: whole)
      // Once as memory of its own, once as a part of another that ends right behind it.
      device.writeSmall(numbers(count, from: 5), to: whole.view(from: 1024, count: count))
      let expected = [Float](repeating: -1, count: 1024) + numbers(count, from: 5)
      #expect(
        try device.read(whole, as: Float.self) == expected + [Float](repeating: -1, count: 32 - count),
        "\(count)")
      let own = device.allocate(count, of: .float32)
      device.writeSmall(numbers(count), to: own)
      #expect(try device.read(own, as: Float.self) == numbers(count), "\(count)")
    }
  }

  @Test(arguments: names) func countersFollowAndReturnToZero(name: String) throws {
    let device = try DeviceCatalog.open(name)
    #expect(device.memoryUse == MemoryUse())
    do {
      let first = device.allocate(1024, of: .float32)
      let second = device.allocate(1000, of: .float32)
      #expect(device.memoryUse.live == 8192)
      #expect(first.byteCount + second.byteCount == 8096)
    }
    #expect(device.memoryUse.live == 0)
    #expect(device.memoryUse.peak == 8192)
    #expect(device.memoryUse.reserved == 8192)
    // Freed blocks serve later requests of about their size.
    for round in 0..<5 {
      let again = device.allocate(700 + 80 * round, of: .float32)
      #expect(device.memoryUse.live == 4096)
      device.zero(again)
    }
    #expect(device.memoryUse.reserved == 8192)
    try device.finish()
    #expect(device.memoryUse.live == 0)
  }

  @Test(arguments: names) func tooLargeAnAllocationIsKeptAndThrownOnce(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let limit = device.description.largestAllocation
    let failed = device.allocate(limit / 4 + 1025, of: .float32)
    #expect(device.memoryUse == MemoryUse())
    #expect(device.failure.isSet)
    // What follows is ignored until somebody asks.
    device.zero(failed)
    device.write([Float](repeating: 0, count: 3), to: device.allocate(3, of: .float32))
    let error = #expect(throws: KernelError.self) { try device.finish() }
    switch error {
    case .allocationTooLarge(name, let byteCount, limit)? where name != "cpu": #expect(byteCount > limit)
    case .outOfMemory(name, let byteCount, 0, limit)? where name == "cpu": #expect(byteCount > limit)
    default: Issue.record("another error: \(String(describing: error))")
    }
    #expect(error?.description.contains("lower batch.micro or model.context") == true)
    #expect(error?.description.contains("\(limit)") == true)
    try device.finish()
    let usable = device.allocate(3, of: .float32)
    device.write([1, 2, 3] as [Float], to: usable)
    #expect(try device.read(usable, as: Float.self) == [1, 2, 3])
  }

  @Test(arguments: names) func aReadThrowsTheFirstFailure(name: String) throws {
    let device = try DeviceCatalog.open(name)
    let memory = device.allocate(4, of: .float32)
    device.write([1, 2, 3, 4] as [Float], to: memory)
    device.failure.set(KernelError.noKernelFolder(path: "first"))
    device.failure.set(KernelError.noKernelFolder(path: "second"))
    let error = #expect(throws: KernelError.self) { try device.read(memory, as: Float.self) }
    guard case .noKernelFolder("first")? = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(try device.read(memory, as: Float.self) == [1, 2, 3, 4])
  }
}
