import Files
import Glibc
import Testing

/// Sweeps of a few seconds: what is run, how they stop and go on, what they say.
@Suite struct SweepTests {
  private static let keys = SmallRun.keys + ["mixer.kind=attention,retention", "seed=1,2"]
  private static let folders = [
    "01-attention-1", "02-attention-2", "03-retention-1", "04-retention-2",
  ]

  private func sweep(_ output: String, _ more: [String] = []) -> [String] {
    ["sweep"] + Self.keys + ["--output", output, "--device", "cpu"] + more
  }

  private func lines(_ place: Program.Workplace, _ name: String) throws -> [JSON] {
    try place.text(name).split(separator: "\n").map { try JSON(parsing: String($0), source: name) }
  }

  private func losses(_ place: Program.Workplace, _ sweep: String) throws -> [String: Double] {
    let results = try lines(place, "\(sweep)/results.jsonl").compactMap { line in
      line["run"]?.stringValue.flatMap { run in line["validation_loss"]?.doubleValue.map { (run, $0) } }
    }
    return Dictionary(results, uniquingKeysWith: { $1 })
  }

  @Test func trainsEveryPointAsATrainingWould() throws {
    let program = try Program()
    let place = program.workplace
    let ending = try program.run(sweep("s", ["--baseline", "mixer.kind=attention", "--json"]))
    #expect(ending.code == 0, "\(ending.narration)")
    let json = try ending.json()
    #expect(json.map { $0["kind"]?.stringValue } == ["point", "point", "point", "point", "sweep"])
    let names = try Folder.names(in: place.path + "/s").filter { $0.first != "." }
    #expect(names == Self.folders + ["pareto.svg", "results.jsonl", "sweep.yaml"])

    let groups = try #require(json.last?["groups"]?.arrayValue)
    #expect(groups.count == 2 && groups.allSatisfy { $0["gap"]?["count"]?.integerValue == 2 })
    let found = try losses(place, "s")
    let gaps = [1, 2].compactMap { seed -> Double? in
      guard let other = found["0\(seed)-attention-\(seed)"], let own = found["0\(seed + 2)-retention-\(seed)"]
      else { return nil }
      return (own - other) / other
    }
    let retention = try #require(groups.first { $0["keys"]?["mixer.kind"]?.stringValue == "retention" })
    #expect(abs((retention["gap"]?["mean"]?.doubleValue ?? .nan) - (gaps[0] + gaps[1]) / 2) < 1e-12)

    // The same run alone has the same weights, and an evaluation of the whole validation part the same loss.
    let alone = SmallRun.arguments("alone", ["mixer.kind=retention", "seed=2"])
    #expect(try program.run(alone).code == 0)
    let weights = "checkpoints/step-000012/model.safetensors"
    #expect(try place.bytes("alone/\(weights)") == place.bytes("s/04-retention-2/\(weights)"))
    let evaluation = try #require(
      try program.run("eval s/04-retention-2 --split validation --device cpu --json").json().first)
    let loss = try #require(evaluation["loss"]?.doubleValue)
    #expect(abs(loss - (found["04-retention-2"] ?? .nan)) < 1e-5)

    let again = try program.run("sweep s --markdown --baseline mixer.kind=attention,seed=1")
    #expect(again.code == 2 && again.narration.contains("seed"), "\(again.narration)")
    let table = try program.run("sweep s --report --markdown")
    #expect(table.code == 0 && table.output.contains("| baseline |"), "\(table.output)")
    #expect(try program.run("sweep s --report --csv").output.hasPrefix("rank,mixer.kind,"))
    let fixed = try program.run("sweep s steps=20")
    #expect(fixed.code == 2 && fixed.narration.contains("are fixed"))
    let taken = try program.run(sweep("s"))
    #expect(taken.code == 2 && taken.narration.contains("is a sweep already"))
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143)), (SIGKILL, -SIGKILL)])
  func stoppedSweepGoesOnWithoutRepeatingRuns(signal: Int32, code: Int32) throws {
    let program = try Program()
    let place = program.workplace
    let more = ["steps=60", "evaluation.every=0", "checkpoint.every=5"]
    #expect(try program.run(sweep("whole", more)).code == 0)
    let running = try program.start(sweep("parts", more))
    try running.waitFor("\"step\":12", in: place.path + "/parts/02-attention-2/metrics.jsonl")
    running.send(signal)
    let ending = try running.wait()
    #expect(ending.code == code, "\(ending.narration)")
    if code > 0 { #expect(ending.narration.contains("resume: nibble sweep parts"), "\(ending.narration)") }
    let before = try place.bytes("parts/01-attention-1/metrics.jsonl")
    #expect(try program.run("sweep parts --report").output.contains("pending"))

    // A crash may also tear the last line.
    let file = try AppendingFile(path: place.path + "/parts/results.jsonl")
    try file.append(Array("{\"schema\":1,\"run\":\"02".utf8))
    let resumed = try program.run("sweep parts")
    #expect(resumed.code == 0, "\(resumed.narration)")
    #expect(resumed.narration.contains("1 done before"), "\(resumed.narration)")
    #expect(try place.bytes("parts/01-attention-1/metrics.jsonl") == before)
    #expect(try losses(place, "parts") == losses(place, "whole"))
    let calls = try JSON.read(place.path + "/parts/02-attention-2/run.json")["calls"]?.arrayValue
    #expect(calls?.count == 2 && (calls?.last?["first_step"]?.integerValue ?? 0) >= 5)
  }

  @Test func failuresAreNotedAndTheSweepGoesOn() throws {
    let program = try Program()
    let place = program.workplace
    let keys = SmallRun.keys + ["optimizer.learning_rate=1e30,1e-2", "schedule.warmup=0"]
    let ending = try program.run(["sweep"] + keys + ["--output", "s", "--device", "cpu"])
    #expect(ending.code == 1, "\(ending.narration)")
    #expect(ending.narration.contains("1 of 2  01-1e30: diverged: step"), "\(ending.narration)")
    #expect(ending.output.contains("of 2 runs: 1 diverged"), "\(ending.output)")
    let results = try lines(place, "s/results.jsonl")
    #expect(results.map { $0["outcome"]?.stringValue } == ["diverged", "finished"])
    #expect(try program.run("sweep s").code == 1)
    #expect(try lines(place, "s/results.jsonl").count == 2)
    #expect(try program.run("sweep s --retry").code == 1)
    #expect(try lines(place, "s/results.jsonl").count == 3)
  }

  @Test func runsThatDoNotFitAreLeftOut() throws {
    let program = try Program()
    try program.workplace.write(
      """
      sweep:
        points:
          - {name: small, model.hidden: 64}
          - {name: huge, model: {hidden: 8388608, layers: 1000, dimension: 8192, heads: 64}}
      """, to: "x.yaml")
    let keys = SmallRun.keys.filter { !$0.hasPrefix("model.") || $0 == "model.context=32" }
    let line =
      ["sweep", "x.yaml"] + keys + ["steps=2", "schedule.warmup=0", "--output", "s", "--device", "cpu"]
    let plan = try program.run(line + ["--plan", "--json"])
    #expect(plan.code == 4, "\(plan.narration)")
    let points = try #require(try plan.json().first?["points"]?.arrayValue)
    #expect(points.map { $0["fits"]?.boolValue } == [true, false])
    #expect(!Folder.exists(program.workplace.path + "/s"))
    let ending = try program.run(line)
    #expect(
      ending.code == 4 && ending.output.contains("does not fit:"), "\(ending.output)\(ending.narration)")
    #expect(try losses(program.workplace, "s").keys.sorted() == ["01-small"])
  }

  @Test func badPointsFailBeforeAnythingIsMade() throws {
    let program = try Program()
    let path = program.workplace.path
    let ending = try program.run(sweep("s", ["optimizer.kind=adamw,adamW", "stpes=3"]))
    #expect(ending.code == 2)
    #expect(
      ending.narration.contains("did you mean 'adamw'") && ending.narration.contains("unknown key 'stpes'"))
    #expect(ending.narration.ranges(of: "error:").count == 2, "\(ending.narration)")
    for (call, words) in [
      (sweep("s", ["--baseline", "mixer.kind=delta"]), "values of mixer.kind: attention, retention"),
      (["sweep"] + SmallRun.keys, "nothing varies"),
      (sweep("s", ["optimizer.learning_rate=1e-2,0.01"]), "two points are the same run"),
      (["sweep", "--report"], "needs the folder of a sweep"),
    ] {
      let refused = try program.run(call)
      #expect(refused.code == 2 && refused.narration.contains(words), "\(call): \(refused.narration)")
    }
    #expect(!Folder.exists(path + "/s"))
  }

  @Test func fileWithPointsIsPlannedAndRun() throws {
    let program = try Program()
    let place = program.workplace
    try place.write(
      """
      data: {path: embedded}
      model: {layers: 2, dimension: 32, heads: 2, context: 32}
      batch: {tokens: 128, micro: 2}
      steps: 4
      sweep:
        grid: {seed: [1, 2]}
        points:
          - {name: plain}
          - {name: hybrid, mixer: {pattern: [delta, attention]}}
        baseline: {point: plain}
      """, to: "x.yaml")
    let plan = try program.run("sweep x.yaml --device cpu --plan --output s --json")
    #expect(plan.code == 0, "\(plan.narration)")
    let points = try #require(try plan.json().first?["points"]?.arrayValue)
    #expect(
      points.compactMap { $0["run"]?.stringValue } == [
        "01-plain-1", "02-plain-2", "03-hybrid-1", "04-hybrid-2",
      ])
    #expect(!Folder.exists(place.path + "/s"))
    let ending = try program.run("sweep x.yaml steps=3 --device cpu --output s")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(
      ending.output.contains("hybrid") && ending.output.contains("gap: to point plain"), "\(ending.output)")
    #expect(try place.text("s/sweep.yaml").contains("mixer.pattern: \"[delta, attention]\""))
    #expect(try lines(place, "s/03-hybrid-1/metrics.jsonl").count == 3)
    let train = try program.run("train x.yaml --device cpu")
    #expect(train.code == 2 && train.narration.contains("is for nibble sweep"), "\(train.narration)")
    #expect(try program.run("train s").narration.contains("nibble sweep s"))
  }
}
