import Files
import Glibc
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
    #expect(report["schema"]?.integerValue == 2)
    let row = try #require(report["rows"]?.arrayValue?.first)
    #expect(row["parameters"]?["m"]?.integerValue == 24)
    #expect(row["verification"]?.stringValue == "passed")
    #expect(row["samples_s"]?.arrayValue?.isEmpty == false)
    #expect((row["executions_per_sample"]?.integerValue ?? 0) > 1)
    #expect(report["build"]?.stringValue == "release" || report["build"]?.stringValue == "debug")
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

  @Test func whatHasNoArithmeticIsNotDrawn() throws {
    for benchmark in ["copy", "launch"] {
      let ending = try program.run("bench \(benchmark) --device cpu --roofline x.svg -v")
      #expect(ending.code == 2 && ending.narration.contains("have no FLOPs"), "\(ending.narration)")
      #expect(!ending.narration.contains("measuring"))
    }
    #expect(try bench("-v").narration.contains("measuring the roof"))
  }

  @Test func rowsThatAreGoneShutTheGate() throws {
    let line = "bench matmul --device cpu --budget 0.02 --results kept"
    #expect(try program.run(line + " --sizes 24,32 --save both").code == 0)
    let ending = try program.run(line + " --sizes 24 --against both --gate 1000")
    #expect(ending.code == 1)
    #expect(ending.narration.contains("gate: matmul form nn, m 32, n 32, k 32 on cpu: missing"))
  }

  /// Ctrl-C leaves the kept result as it was.
  @Test func anInterruptedResultReplacesNothing() throws {
    #expect(try bench("--save before --results kept").code == 0)
    let kept = try program.workplace.bytes("kept/before.jsonl")
    let line = "bench matmul --sizes 24,32,512 --device cpu --budget 20 --save before --results kept"
    let words = (line + " --overwrite --against before --gate 1 -v").split(separator: " ").map(String.init)
    let running = try program.start(words)
    try running.waitForNarration("measuring the roof")
    running.send(SIGINT)
    let ending = try running.wait()
    #expect(ending.code == 130, "\(ending.narration)")
    #expect(ending.narration.contains("nothing is kept as before"), "\(ending.narration)")
    #expect(try program.workplace.bytes("kept/before.jsonl") == kept)
  }

  @Test func decodingTellsItsTokensPerSecond() throws {
    let ending = try program.run("bench decode --config tiny --context 4 --device cpu --budget 0.05 --json")
    let row = try #require(try ending.json().first?["rows"]?.arrayValue?.first)
    let median = try #require(row["median_s"]?.doubleValue)
    #expect(row["tokens"]?.integerValue == 1)
    #expect(abs((row["tokens_per_s"]?.doubleValue ?? 0) * median - 1) < 1e-9)
  }

  @Test func decodingBehindATextKnowsEveryMixer() throws {
    // Models are described before a device is looked for.
    let all = try program.run("bench decode --config tiny --mixers all --positions 0 --device tpu:9")
    #expect(all.code == 4 && all.narration.contains("no device named"), "\(all.narration)")
    // The last of the hundred tokens lie behind the window of 256, the first do not.
    let ending = try program.run(
      "bench decode --config tiny --mixers sliding --positions 200 --device cpu --budget 0.05 --json")
    #expect(ending.code == 0, "\(ending.narration)")
    let row = try #require(try ending.json().first?["rows"]?.arrayValue?.first)
    #expect(row["verification"]?.stringValue == "passed")
    #expect(row["parameters"]?["mixer"]?.stringValue == "sliding")
    #expect(row["tokens"]?.integerValue == 100 && (row["kept_bytes"]?.integerValue ?? 0) > 0)
  }

  @Test(arguments: [
    ("--csv --markdown", "contradict"), ("--csv --json", "contradict"), ("--markdown --json", "contradict"),
    ("--gate 5", "--against"), ("--overwrite", "--save"), ("--results x", "--save"),
    ("--against nothing", "no result named 'nothing'"), ("--save a/b", "cannot be the name"),
    ("--gate -1 --against x", "--gate"), ("--roofline .", "not a file"),
    ("--roofline nowhere/x.svg", "there is no folder nowhere"),
  ])
  func refusesBeforeMeasuring(options: String, words: String) throws {
    // With -v the measurement of the roof is narrated.
    let ending = try bench(options + " -v")
    #expect(ending.code == 2)
    #expect(ending.output.isEmpty)
    #expect(ending.narration.contains(words))
    #expect(!ending.narration.contains("measuring"))
  }
}
