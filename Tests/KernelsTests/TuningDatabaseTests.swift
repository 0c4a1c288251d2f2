import Files
import Foundation
import Testing

@testable import Kernels

@Suite struct TuningDatabaseTests {
  private static let here = DeviceDescription(
    name: "pocl:0", product: "Processor", vendor: "PoCL", driver: "3.1", isProcessor: true, computeUnits: 2,
    memoryByteCount: 1, largestAllocation: 1, nativeFloatWidth: 16)

  private static func entry(
    _ value: Int, problem: String = "nt", device: String? = nil, architecture: String? = nil,
  ) -> TuningDatabase.Entry {
    TuningDatabase.Entry(
      key: TuningKey(family: "matmul", problem: problem), device: device ?? here.exactKey,
      architecture: architecture ?? here.architectureKey, parameters: ["depth": value], gflops: 2,
      standardGflops: 1, date: "2026-11-21")
  }

  @Test("exact device, then architecture; the overlay's entry first")
  func order() {
    let shipped = TuningDatabase(entries: [
      Self.entry(1), Self.entry(2, device: "another of its kind"),
      Self.entry(3, device: "elsewhere", architecture: "graphics | X | float1"),
    ])
    let database = shipped.overlaid(
      with: TuningDatabase(entries: [Self.entry(4, device: "a third of its kind")]))
    let key = TuningKey(family: "matmul", problem: "nt")
    #expect(database.candidates(for: key, on: Self.here).map { $0.parameters["depth"] } == [1, 4, 2])
    #expect(database.candidates(for: TuningKey(family: "matmul", problem: "tn"), on: Self.here).isEmpty)
    let replaced = shipped.overlaid(with: TuningDatabase(entries: [Self.entry(9)]))
    #expect(replaced.entries.count == 3)
    #expect(replaced.candidates(for: key, on: Self.here).first?.parameters == ["depth": 9])
  }

  @Test("a file reads back as it was written; a damaged one says what is wrong")
  func file() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/tuning-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/deep/tuning.json"
    let database = TuningDatabase(entries: [Self.entry(7), Self.entry(8, problem: "tn")])
    try database.write(to: path)
    #expect(try TuningDatabase(path: path).entries == database.entries)
    for (text, problem) in [
      ("{\"schema\": 2, \"entries\": []}", "schema"), ("{\"schema\": 1}", "entries"),
      ("{\"schema\": 1, \"entries\": [{\"family\": \"x\"}]}", "entry 0"), ("{", "tuning.json"),
    ] {
      try Array(text.utf8).withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
      let error = #expect(throws: KernelError.self) { try TuningDatabase(path: path) }
      #expect("\(try #require(error))".contains(problem))
    }
  }

  @Test("the shipped database is the file's, and every entry has a device and parameters")
  func shipped() throws {
    let file = try TuningDatabase(path: packageRoot + "/kernels/tuning.json")
    #expect(TuningDatabase.shipped.entries == file.entries)
    for entry in file.entries {
      #expect(!entry.device.isEmpty && !entry.architecture.isEmpty && !entry.parameters.isEmpty)
    }
  }

  @Test("kernels of another style are another device")
  func styles() {
    var other = Self.here
    other.kernelStyle = .graphics
    #expect(other.exactKey != Self.here.exactKey && other.architectureKey != Self.here.architectureKey)
  }
}

/// Which entry a device takes.
@Suite(.serialized, .exclusiveDevices, .enabled(if: FirstOpenCLDevice.exists))
struct TuningSelectionTests {
  private struct Depth: KernelConfiguration {
    static let family = "depth"
    let depth: Int

    var parameters: [String: Int] { ["depth": depth] }
    init(_ depth: Int) { self.depth = depth }
    init?(parameters: [String: Int]) {
      guard parameters.count == 1, let depth = parameters["depth"] else { return nil }
      self.depth = depth
    }
    static func standard(for device: DeviceDescription, problem: String) -> Self { Self(1) }
    static func candidates(for device: DeviceDescription, problem: String) -> [Self] { [] }
    func fits(_ device: DeviceDescription) -> Bool { depth < 100 }
  }

  private static func entry(_ parameters: [String: Int], device: String, architecture: String)
    -> TuningDatabase.Entry
  {
    TuningDatabase.Entry(
      key: TuningKey(family: "depth", problem: "p"), device: device, architecture: architecture,
      parameters: parameters, gflops: 2, standardGflops: 1, date: "2026-11-21")
  }

  /// - Returns: The depth that runs, and what was said about entries.
  private func depth(_ parameters: (exact: [String: Int]?, alike: [String: Int]?)) throws
    -> (depth: Int, faults: [TuningFault])
  {
    let candidate = try #require(OpenCLPlatform.candidates().first)
    let here = candidate.description
    var entries: [TuningDatabase.Entry] = []
    if let alike = parameters.alike {
      entries.append(Self.entry(alike, device: "another", architecture: here.architectureKey))
    }
    if let exact = parameters.exact {
      entries.append(Self.entry(exact, device: here.exactKey, architecture: here.architectureKey))
    }
    entries.append(Self.entry(["depth": 50], device: "elsewhere", architecture: "x"))
    let device = try OpenCLDevice(
      candidate, binaries: ProgramCache(device: here, folder: nil), tuning: TuningDatabase(entries: entries))
    var faults: [TuningFault] = []
    device.onIgnoredEntry = { faults.append($1) }
    let first = device.configuration(Depth.self, for: "p").depth
    #expect(device.configuration(Depth.self, for: "p").depth == first)
    #expect(device.configuration(Depth.self, for: "q").depth == 1)
    return (first, faults)
  }

  @Test func theEntryOfThisDeviceRunsElseThatOfItsArchitectureElseTheStandard() throws {
    #expect(try depth((["depth": 7], ["depth": 8])) == (7, []))
    #expect(try depth((nil, ["depth": 8])) == (8, []))
    #expect(try depth((nil, nil)) == (1, []))
  }

  @Test func anEntryThatCannotBeUsedIsPassedOverAndToldOfOnce() throws {
    #expect(try depth((["depth": 200], ["depth": 8])) == (8, [.doesNotFit]))
    #expect(try depth((["width": 2], nil)) == (1, [.unknownParameters]))
    // On another device it need not fit: nothing is said.
    #expect(try depth((nil, ["depth": 200])) == (1, []))
  }

  @Test func whatIsForcedEndsWithItsRelease() throws {
    let device = try FirstOpenCLDevice.open()
    device.useConfiguration(Depth(3))
    #expect(device.configuration(Depth.self, for: "p").depth == 3)
    device.releaseConfiguration(family: Depth.family)
    #expect(device.configuration(Depth.self, for: "p").depth == 1)
  }

  @Test func aWatchedDeviceTellsWhatItLookedUp() throws {
    let device = try FirstOpenCLDevice.open()
    device.startProfile()
    _ = device.configuration(Depth.self, for: "p")
    #expect(try device.stopProfile().namedConfigurations == ["depth/p": ["depth": 1]])
  }
}
