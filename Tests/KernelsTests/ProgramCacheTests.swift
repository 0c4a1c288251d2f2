import Glibc
import Testing

@testable import Kernels

@Suite(.serialized, .exclusiveDevices) struct ProgramCacheTests {
  private static let description = DeviceDescription(
    name: "test:0", product: "processor", vendor: "maker", driver: "3.1", languageVersion: "OpenCL C 1.2",
    isProcessor: true, computeUnits: 2, memoryByteCount: 1 << 30, largestAllocation: 1 << 28)

  private func path(
    _ change: (inout DeviceDescription) -> Void = { _ in }, source: String = "kernel",
    options: String = "-D A=1",
  ) throws -> String {
    var description = Self.description
    change(&description)
    return try #require(
      ProgramCache(device: description, folder: "/cache").entry(source: source, options: options)
    )
    .path
  }

  @Test func theKeyIsSourceOptionsAndDevice() throws {
    let same = try path()
    #expect(try path() == same)
    let others = [
      try path(source: "kernel "), try path(options: "-D A=2"), try path { $0.name = "test:1" },
      try path { $0.product = "other" }, try path { $0.vendor = "other" }, try path { $0.driver = "3.2" },
      try path { $0.languageVersion = nil },
    ]
    #expect(Set(others + [same]).count == others.count + 1)
    // What a device has to offer does not change what is built for it.
    #expect(try path { $0.memoryByteCount = 1 } == same)
  }

  @Test func definitionsAreSortedIntoOptions() {
    let key = ProgramKey(family: "f", definitions: ["B": "2", "A": "1", "C": "3"])
    #expect(key.options == ProgramKey.safeOptions + " -D A=1 -D B=2 -D C=3")
    #expect(!key.options.contains("fast-relaxed") && !key.options.contains("finite-math"))
  }

  @Test func entriesReadBack() throws {
    let folder = try ScratchFolder()
    let cache = ProgramCache(device: Self.description, folder: folder.path)
    let entry = try #require(cache.entry(source: "a", options: "b"))
    #expect(entry.load() == nil)
    for binary in [[7], Array(0...255), [UInt8](repeating: 3, count: 300_000)] as [[UInt8]] {
      entry.store(binary)
      #expect(entry.load() == binary)
    }
    #expect(listing(of: folder.path).count == 1, "no temporary file is left")
    #expect(try #require(cache.entry(source: "a", options: "c")).load() == nil)
  }

  @Test func damagedEntriesAreIgnored() throws {
    let folder = try ScratchFolder()
    let entry = try #require(
      ProgramCache(device: Self.description, folder: folder.path).entry(source: "a", options: "b"))
    entry.store(Array(0..<200))
    let good = try readFile(entry.path)
    for length in 0..<good.count {
      try writeFile(Array(good[..<length]), to: entry.path)
      #expect(entry.load() == nil, "the first \(length) bytes")
    }
    for position in good.indices {
      var bad = good
      bad[position] ^= 1 << (position % 8)
      try writeFile(bad, to: entry.path)
      #expect(entry.load() == nil, "byte \(position) changed")
    }
    try writeFile(good + [0], to: entry.path)
    #expect(entry.load() == nil, "a byte too many")
    unlink(entry.path)
    try #require(mkdir(entry.path, 0o777) == 0)
    #expect(entry.load() == nil, "a folder in its place")
    rmdir(entry.path)
    try writeFile(good, to: entry.path)
    #expect(entry.load() == Array(0..<200))
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func theSecondDeviceFindsTheBinary() throws {
    let folder = try ScratchFolder()
    #expect(try builds(with: folder.path) == ["columns"])
    #expect(listing(of: folder.path).count == 1)
    #expect(try builds(with: folder.path) == [])
    // Other macros are another program.
    #expect(try builds(with: folder.path, ["ACCUMULATE": "1"]) == ["columns"])
    #expect(listing(of: folder.path).count == 2)
  }

  @Test(
    .enabled(if: FirstOpenCLDevice.exists), arguments: ["truncated", "bit flipped", "empty", "not a binary"])
  func damageIsRebuiltAndRewritten(damage: String) throws {
    let folder = try ScratchFolder()
    _ = try builds(with: folder.path)
    let path = folder.file(try #require(listing(of: folder.path).first))
    var bytes = try readFile(path)
    switch damage {
    case "truncated": bytes.removeLast(bytes.count / 2)
    case "bit flipped": bytes[bytes.count - 100] ^= 4
    case "empty": bytes = []
    default:
      // A file that is whole, but whose content the driver refuses.
      let candidate = try #require(OpenCLPlatform.candidates().first)
      let name = String(try #require(path.split(separator: "/").last))
      ProgramCache.Entry(folder: folder.path, path: path).store(
        Array("no program of \(candidate.description.name)".utf8))
      #expect(listing(of: folder.path) == [name])
      bytes = try readFile(path)
    }
    try writeFile(bytes, to: path)
    #expect(try builds(with: folder.path) == ["columns"])
    #expect(try readFile(path) != bytes)
    #expect(try builds(with: folder.path) == [])
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func anUnwritableFolderIsNoError() throws {
    let folder = try ScratchFolder()
    try writeFile([1], to: folder.file("file"))
    #expect(try builds(with: folder.file("file") + "/kernels") == ["columns"])
    #expect(try builds(with: folder.file("file") + "/kernels") == ["columns"])
    #expect(listing(of: folder.path) == ["file"])
  }

  @Test(.enabled(if: FirstOpenCLDevice.exists)) func withoutAFolderNothingIsKept() throws {
    #expect(try builds(with: nil) == ["columns"])
    #expect(try builds(with: nil) == ["columns"])
    #expect(ProgramCache(device: Self.description, folder: nil).entry(source: "a", options: "b") == nil)
  }

  @Test func theEnvironmentChoosesTheFolder() async {
    await #expect(processExitsWith: .success) {
      for name in ["NIBBLE_CACHE", "XDG_CACHE_HOME"] { unsetenv(name) }
      setenv("HOME", "/home/somebody", 1)
      #expect(ProgramCache.folder() == "/home/somebody/.cache/nibble/kernels")
      setenv("XDG_CACHE_HOME", "/caches", 1)
      #expect(ProgramCache.folder() == "/caches/nibble/kernels")
      setenv("NIBBLE_CACHE", "/mine", 1)
      #expect(ProgramCache.folder() == "/mine/kernels")
      setenv("NIBBLE_CACHE", "off", 1)
      #expect(ProgramCache.folder() == nil)
    }
  }

  /// Opens a device, copies a row by a kernel, and returns the programs that were built from source for it.
  private func builds(with folder: String?, _ definitions: [String: String] = [:]) throws -> [String] {
    let device = try FirstOpenCLDevice.open(cache: folder)
    var built: [String] = []
    device.onBuild = { built.append($0) }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32> =
      try device.kernel(
        "copy_columns", in: "columns", definitions)
    let (from, to) = (device.allocate(9, of: .float32), device.allocate(9, of: .float32))
    let values = (0..<9).map { Float($0) }
    device.write(values, to: from)
    device.zero(to)
    kernel(Buffer(from), Buffer(to), 9, 9, 0, 9, 0, over: .groups(1))
    #expect(try device.read(to, as: Float.self) == values)
    return built
  }
}
