import Files
import Testing

/// The search for configurations, also with kernels that compute nonsense, hang or die.
@Suite(.serialized) struct TuneTests {
  private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  private static let arguments = [
    "tune", "matmul/nt small", "--device", "pocl:0", "--budget", "4", "--json", "--quiet",
  ]

  /// A folder with one kernel family behind some macros.
  private func faultyKernels(_ program: Program, _ prefix: String) throws -> [String: String] {
    let file = try MappedFile(path: Self.root + "/kernels/matmul.cl")
    let text = String(decoding: try file.bytes(in: 0..<file.count), as: UTF8.self)
    try Folder.create(program.workplace.path + "/kernels")
    try program.workplace.write(prefix + "\n" + text, to: "kernels/matmul.cl")
    return ["NIBBLE_KERNELS": program.workplace.path + "/kernels", "NIBBLE_CACHE": "off"]
  }

  private func outcomes(_ ending: Program.Ending) throws -> [String] {
    let problem = try #require(try ending.json().first?["problems"]?.arrayValue?.first)
    #expect(problem["winner"]?.isNull == true)
    let trials = problem["trials"]?.arrayValue ?? []
    #expect(trials.allSatisfy { $0["reason"]?.stringValue?.isEmpty == false })
    return trials.compactMap { $0["outcome"]?.stringValue }
  }

  @Test func aSearchKeepsWhatItFoundWhereItSays() throws {
    let program = try Program()
    let path = program.workplace.path + "/mine/tuning.json"
    let ending = try program.run(Self.arguments + ["--output", path])
    #expect(ending.code == 0, "\(ending.narration)")
    let problem = try #require(try ending.json().first?["problems"]?.arrayValue?.first)
    let trials = try #require(problem["trials"]?.arrayValue)
    #expect(!trials.isEmpty)
    #expect(trials.allSatisfy { $0["outcome"]?.stringValue == "measured" })
    #expect(Folder.exists(path) == (problem["winner"]?.isNull == false))
  }

  private func listed(_ program: Program, entry: JSON) throws -> JSON {
    let database: JSON = ["schema": 1, "entries": .array([entry])]
    try program.workplace.write(database.serialized(), to: "tuning.json")
    let list = try program.run(
      ["tune", "--list", "matmul/nt small", "--device", "pocl:0", "--json"],
      environment: ["NIBBLE_TUNING": program.workplace.path + "/tuning.json"])
    #expect(list.code == 0, "\(list.narration)")
    return try #require(try list.json().first?["problems"]?.arrayValue?.first)
  }

  @Test func anEntryOfTheDatabaseIsUsedOrSaidToBeIgnored() throws {
    let program = try Program()
    let list = try program.run(["tune", "--list", "matmul/nt small", "--device", "pocl:0", "--json"])
    let key = try #require(try list.json().first?["device_key"])
    let standard = try #require(try list.json().first?["problems"]?.arrayValue?.first)
    #expect(standard["from"]?.stringValue == "standard")
    func entry(_ parameters: JSON?) -> JSON {
      [
        "family": "matmul", "problem": "nt small", "device": key, "architecture": "x",
        "parameters": parameters ?? .null, "gflops": 2, "standard_gflops": 1, "date": "2026-11-21",
      ]
    }
    let used = try listed(program, entry: entry(standard["parameters"]))
    #expect(used["from"]?.stringValue == "this device" && used["ignored"]?.arrayValue?.isEmpty == true)
    let ignored = try listed(program, entry: entry(["nonsense": 1]))
    #expect(ignored["from"]?.stringValue == "standard")
    #expect(
      ignored["ignored"]?.arrayValue?.map { $0["reason"]?.stringValue } == ["unknown parameters"])
    // What runs says so, once.
    let bench = "bench matmul --m 512 --n 1024 --k 384 --form nt --device pocl:0 --budget 0.05 --json"
    let ending = try program.run(
      bench.split(separator: " ").map(String.init),
      environment: ["NIBBLE_TUNING": program.workplace.path + "/tuning.json"])
    #expect(ending.code == 0)
    #expect(ending.narration.ranges(of: "on this device is ignored").count == 1)
    let row = try ending.json().first?["rows"]?.arrayValue?.first
    #expect(row?["configurations"]?["matmul/nt small"] == standard["parameters"])
  }

  @Test func aDatabaseThatIsNamedMustBeThere() throws {
    let program = try Program()
    let missing = ["NIBBLE_TUNING": program.workplace.path + "/none.json"]
    for line in ["tune --list --device pocl:0", "bench launch --device pocl:0 --budget 0.01"] {
      let ending = try program.run(line.split(separator: " ").map(String.init), environment: missing)
      #expect(ending.code == 2 && ending.narration.contains("no such file"), "\(ending.narration)")
    }
    // The call that is to write it makes it.
    let words = ["tune", "matmul/nt small", "--device", "pocl:0", "--budget", "1", "--quiet"]
    #expect(try program.run(words, environment: missing).code == 0)
    #expect(try program.run(["tune", "--list", "--device", "pocl:0"], environment: missing).code == 0)
  }

  @Test func aBudgetThatCoversFewProblemsSaysSo() throws {
    let words = ["tune", "matmul", "--device", "pocl:0", "--budget", "5", "--output", "t.json"]
    let ending = try Program().run(words)
    #expect(ending.code == 0)
    #expect(ending.narration.contains("the budget covers 1 of "), "\(ending.narration)")
  }

  @Test func aWrongResultIsNeverTimed() throws {
    let program = try Program()
    let faults = try faultyKernels(program, "#define fma(a, b, c) (c)")
    let ending = try program.run(Self.arguments + ["--output", "t.json"], environment: faults)
    let outcomes = try outcomes(ending)
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0 == "wrong" })
  }

  @Test func aKernelThatHangsIsEnded() throws {
    let program = try Program()
    let faults = try faultyKernels(
      program,
      """
      uint forever(uint axis) { volatile uint on = 1; while (on) {} return axis; }
      #define get_global_id(axis) forever(axis)
      #define get_group_id(axis) forever(axis)
      """)
    let ending = try program.run(
      Self.arguments + ["--output", "t.json", "--patience", "3"], environment: faults)
    let outcomes = try outcomes(ending)
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0 == "hung" })
  }

  @Test func aKernelThatKillsItsProcessIsReported() throws {
    let program = try Program()
    let faults = try faultyKernels(
      program,
      """
      #define get_global_id(axis) (*(volatile global uint *)0)
      #define get_group_id(axis) (*(volatile global uint *)0)
      """)
    let ending = try program.run(Self.arguments + ["--output", "t.json"], environment: faults)
    let outcomes = try outcomes(ending)
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0 == "crashed" })
  }

  @Test(arguments: [
    ("tune nonsense --device pocl:0", "matmul"), ("tune --device cpu", "runs no kernels"),
    ("tune --budget 0 --device pocl:0", "--budget"), ("tune --list --output x --device pocl:0", "--list"),
    ("tune --list --budget 3 --device pocl:0", "--list measures nothing"),
    ("tune --list --patience 3 --device pocl:0", "--list measures nothing"),
  ])
  func badCallsSaySo(line: String, part: String) throws {
    let ending = try Program().run(line)
    #expect(ending.code == 2)
    #expect(ending.narration.contains(part), "\(ending.narration)")
  }
}
