import Engine
import Files
import Glibc
import Terminal
import Testing

@testable import BenchmarkReports

@Suite struct StoreTests {
  /// A folder of its own that goes away with the value that holds it.
  private final class Workplace {
    let path: String

    init() throws {
      var template = Array("/tmp/nibble-results-XXXXXX".utf8CString)
      let made = try #require(mkdtemp(&template), "mkdtemp failed")
      path = String(cString: made)
    }

    deinit { try? Folder.remove(path) }

    func write(_ text: String, to name: String) throws {
      try AtomicFile.write(Array(text.utf8), to: path + "/" + name)
    }
  }

  private let workplace: Workplace
  private let store: BenchmarkStore

  init() throws {
    workplace = try Workplace()
    store = BenchmarkStore(folder: workplace.path + "/bench/results")
  }

  /// A wrong result loses its numbers, everything else comes back as it was.
  private var readBack: BenchmarkReport {
    var report = Fixed.report
    report.rows[2].samples = []
    report.rows[2].executionsPerSample = 1
    report.rows[2].eventSeconds = nil
    report.rows[2].cost = nil
    return report
  }

  @Test func savesAndLoads() throws {
    let path = try store.save(Fixed.report, as: "before", overwrite: false)
    #expect(try store.load("before") == readBack)
    #expect(try store.load(path) == readBack)
    #expect(store.names == ["before"])
    let comparison = BenchmarkComparison(Fixed.report, against: try store.load("before"), name: "before")
    #expect(comparison.rows.map(\.verdict) == [.same, .same, .failedNow])
    #expect(comparison.differences.isEmpty)
  }

  @Test func readsWhatJSONPrinted() throws {
    try workplace.write(Fixed.report.json().serialized() + "\n", to: "printed.json")
    #expect(try store.load(workplace.path + "/printed.json") == readBack)
  }

  @Test func replacesOnlyWhenAsked() throws {
    try store.save(Fixed.report, as: "before", overwrite: false)
    let path = "\(store.folder)/before.jsonl"
    #expect(throws: BenchmarkStoreError.exists(name: "before", path: path)) {
      try store.checkSaving("before", overwrite: false)
    }
    #expect(throws: BenchmarkStoreError.exists(name: "before", path: path)) {
      try store.save(Fixed.report, as: "before", overwrite: false)
    }
    var other = readBack
    other.rows.removeLast()
    try store.save(other, as: "before", overwrite: true)
    #expect(try store.load("before") == other)
  }

  @Test(arguments: [
    "", ".hidden", "a/b", "..", "-q", "x.jsonl", "a b", "ä", String(repeating: "a", count: 101),
  ])
  func refusesNames(_ name: String) {
    #expect(throws: BenchmarkStoreError.badName(name)) {
      try store.save(Fixed.report, as: name, overwrite: true)
    }
  }

  @Test func saysWhatIsThere() throws {
    try store.save(Fixed.report, as: "before", overwrite: false)
    let error = #expect(throws: BenchmarkStoreError.self) { try store.load("befor") }
    #expect(error?.description.contains("did you mean 'before'?") == true)
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"kind\":\"row\"}", "{\"kind\":\"run\",\"schema\":2}",
    "{\"kind\":\"run\",\"schema\":3}",
    "{\"kind\":\"run\"", "{\"kind\":\"run\",\"schema\":2}\n{\"kind\":\"run\",\"schema\":2}",
  ])
  func refusesDamagedFiles(_ text: String) throws {
    try workplace.write(text, to: "bad.jsonl")
    #expect(throws: (any Error).self) { try store.load(workplace.path + "/bad.jsonl") }
  }

  /// Every member of a row or a run that is missing or of another kind is an error or means nothing was measured.
  @Test func missingMembersAreNeverInvented() throws {
    let lines = Fixed.report.jsonLines
    for (place, line) in lines.enumerated() {
      for key in try #require(line.objectValue).keys {
        var members = try #require(line.objectValue)
        members[key] = nil
        var changed = lines
        changed[place] = .object(members)
        try workplace.write(changed.map { $0.serialized() + "\n" }.joined(), to: "bad.jsonl")
        guard let read = try? store.load(workplace.path + "/bad.jsonl") else { continue }
        #expect(
          read.rows.allSatisfy { $0.median == nil || Fixed.report.rows.map(\.median).contains($0.median) })
      }
    }
  }
}
