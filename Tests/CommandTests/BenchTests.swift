import Files
import Testing

/// `nibble bench`: its rows in every format, kept, compared and drawn.
@Suite(.serialized) struct BenchTests {
  private let program: Program

  init() throws { program = try Program() }

  private func bench(_ more: String) throws -> Program.Ending {
    try program.run("bench matmul --sizes 24 --device cpu --budget 0.05 " + more)
  }

  @Test func keepsComparesAndDraws() throws {
    let first = try bench("--json --save before --results kept --roofline roof.svg")
    #expect(first.code == 0)
    let report = try #require(try first.json().first)
    #expect(try first.json().count == 1)
    #expect(report["schema"]?.integerValue == 1)
    let row = try #require(report["rows"]?.arrayValue?.first)
    #expect(row["parameters"]?["m"]?.integerValue == 24)
    #expect(row["verification"]?.stringValue == "passed")
    #expect(row["samples_s"]?.arrayValue?.isEmpty == false)
    #expect(report["roofs"]?.arrayValue?.first?["device"]?.stringValue == "cpu")
    #expect(try program.workplace.text("roof.svg").hasPrefix("<svg "))
    #expect(try program.workplace.text("kept/before.jsonl").split(separator: "\n").count > 1)

    // The same program again is not eleven times as slow.
    let second = try bench("--csv --against before --results kept --gate 1000")
    #expect(second.code == 0)
    let lines = second.output.split(separator: "\n")
    #expect(lines.first?.hasPrefix("benchmark,") == true)
    #expect(lines.first?.contains("earlier_median_s,speed_against_earlier,verdict") == true)
    #expect(
      lines.count > 1 && lines.dropFirst().allSatisfy { $0.hasPrefix("matmul,") && $0.contains(",24,24,24,") }
    )

    // Against times as if the program had been a thousand times as fast, the gate is shut.
    let kept = try program.workplace.text("kept/before.jsonl").split(separator: "\n").map { line in
      let value = try JSON(parsing: String(line), source: "before.jsonl")
      guard let samples = value["samples_s"]?.arrayValue, var members = value.objectValue else {
        return value
      }
      members["samples_s"] = .array(samples.compactMap(\.doubleValue).map { .number($0 / 1000) })
      return .object(members)
    }
    try program.workplace.write(kept.map { $0.serialized() + "\n" }.joined(), to: "fast.jsonl")
    let third = try bench("--against fast.jsonl --gate 50")
    #expect(third.code == 1)
    #expect(third.output.contains("VERDICT") && third.output.contains("slower"))
    #expect(third.narration.contains("gate: matmul"))
  }

  @Test(arguments: [
    ("--csv --markdown", "contradict"), ("--csv --json", "contradict"), ("--markdown --json", "contradict"),
    ("--gate 5", "--against"), ("--overwrite", "--save"), ("--results x", "--save"),
    ("--against nothing", "no result named 'nothing'"), ("--save a/b", "cannot be the name"),
    ("--gate -1 --against x", "--gate"), ("--roofline .", "not a file"),
  ])
  func refusesBeforeMeasuring(options: String, words: String) throws {
    let ending = try bench(options)
    #expect(ending.code == 2)
    #expect(ending.output.isEmpty)
    #expect(ending.narration.contains(words))
    #expect(!ending.narration.contains("measuring"))
  }
}
