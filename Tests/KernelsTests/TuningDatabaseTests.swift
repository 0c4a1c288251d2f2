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

  @Test("the shipped database reads")
  func shipped() {
    #expect(TuningDatabase.shipped.entries.allSatisfy { !$0.key.family.isEmpty && !$0.parameters.isEmpty })
  }
}
