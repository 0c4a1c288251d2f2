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
    return problem["trials"]?.arrayValue?.compactMap { $0["outcome"]?.stringValue } ?? []
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
    let list = try program.run(
      ["tune", "--list", "--device", "pocl:0", "--json"], environment: ["NIBBLE_TUNING": path])
    #expect(list.code == 0)
    #expect(try list.json().first?["problems"]?.arrayValue?.isEmpty == false)
  }

  @Test func aWrongResultIsNeverTimed() throws {
    let program = try Program()
    let faults = try faultyKernels(program, "#define fma(a, b, c) (c)")
    let ending = try program.run(Self.arguments + ["--output", "t.json"], environment: faults)
    let outcomes = try outcomes(ending)
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.hasPrefix("wrong result") })
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
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.contains("no answer") })
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
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.contains("its process was ended by signal") })
  }

  @Test(arguments: [
    ("tune nonsense --device pocl:0", "matmul"), ("tune --device cpu", "runs no kernels"),
    ("tune --budget 0 --device pocl:0", "--budget"), ("tune --list --output x --device pocl:0", "--list"),
  ])
  func badCallsSaySo(line: String, part: String) throws {
    let ending = try Program().run(line)
    #expect(ending.code == 2)
    #expect(ending.narration.contains(part), "\(ending.narration)")
  }
}
