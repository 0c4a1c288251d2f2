import Files
import Glibc
import Testing

/// Runs of a second, as people and scripts start, stop, resume and break them.
@Suite struct TrainingTests {
  /// Names and bytes of the files of a checkpoint.
  private func checkpoint(_ place: Program.Workplace, _ run: String, step: String) throws -> [String: [UInt8]]
  {
    let folder = "\(run)/checkpoints/step-\(step)"
    var files: [String: [UInt8]] = [:]
    for name in try Folder.names(in: place.path + "/" + folder) {
      files[name] = try place.bytes(folder + "/" + name)
    }
    return files
  }

  private func lines(_ place: Program.Workplace, _ name: String) throws -> [JSON] {
    try place.text(name).split(separator: "\n").map { try JSON(parsing: String($0), source: name) }
  }

  @Test func trainsEvaluatesAndGenerates() throws {
    let program = try Program()
    let ending = try program.run(SmallRun.arguments("out"))
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(ending.narration.contains("next: nibble generate out"))
    let metrics = try lines(program.workplace, "out/metrics.jsonl")
    #expect(metrics.count == 12)
    for (index, line) in metrics.enumerated() {
      #expect(line["step"]?.integerValue == index + 1)
      for key in ["tokens", "loss", "learning_rate", "gradient_norm", "tokens_per_s"] {
        #expect(line[key]?.doubleValue != nil, "\(key) in line \(index + 1)")
      }
    }
    #expect(metrics.indices.filter { metrics[$0]["validation_loss"] != nil } == [5, 11])
    let first = try #require(metrics.first?["loss"]?.doubleValue)
    let last = try #require(metrics.last?["loss"]?.doubleValue)
    #expect(last < first)
    let names = try Folder.names(in: program.workplace.path + "/out")
    for name in ["checkpoints", "config.yaml", "log.txt", "metrics.jsonl", "run.json"] {
      #expect(names.contains(name))
    }
    #expect(names.contains { $0.hasPrefix("events.out.tfevents.") })
    #expect(!names.contains(".nibble.lock"))

    let evaluation = try #require(
      try program.run("eval out --data embedded --context 16 --device cpu --json").json().first)
    for key in ["loss", "perplexity", "bits_per_byte", "scored_tokens"] {
      #expect(evaluation[key] != nil, "\(key)")
    }
    let nats = try #require(evaluation["loss"]?.doubleValue)
    // One token is one byte here, so both numbers say the same.
    #expect(abs(nats / log(2) - (evaluation["bits_per_byte"]?.doubleValue ?? 0)) < 1e-9)

    let validation = try #require(
      try program.run("eval out --split validation --device cpu --json").json().first)
    #expect(validation["context"]?.integerValue == 32)

    let arguments = ["generate", "out", "Once", "--tokens", "12", "--device", "cpu", "--seed", "5"]
    let text = try program.run(arguments)
    #expect(text.code == 0)
    #expect(text.output.hasPrefix("Once"))
    #expect(try program.run(arguments).output == text.output)
    let data = try #require(try program.run(arguments + ["--json"]).json().first)
    #expect("Once" + (data["text"]?.stringValue ?? "") + "\n" == text.output)
    #expect((data["tokens"]?.integerValue ?? 0) <= 12)
    // Beyond the context of 32 the oldest tokens are forgotten, and the program says so.
    let long = try program.run(["generate", "out", "Once", "--tokens", "60", "--device", "cpu", "--json"])
    #expect(try long.json().first?["stopped_by"]?.stringValue == "tokens")
    #expect(long.narration.contains("were forgotten"))
  }

  @Test func resumingRepeatsTheUninterruptedRun() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("whole")).code == 0)
    #expect(try program.run(SmallRun.arguments("parts", ["--until", "5"])).code == 0)
    #expect(Folder.exists(place.path + "/parts/checkpoints/step-000005"))
    #expect(try program.run(["train", "parts", "--until", "7"]).code == 0)
    #expect(try program.run(["train", "parts"]).code == 0)
    let whole = try checkpoint(place, "whole", step: "000012")
    #expect(whole.keys.contains("optimizer.safetensors") && whole.keys.contains("training_state.json"))
    #expect(try checkpoint(place, "parts", step: "000012") == whole)
    let losses = try ["whole", "parts"].map { try lines(place, "\($0)/metrics.jsonl").map { $0["loss"] } }
    #expect(losses[0] == losses[1])
    #expect(try lines(place, "parts/metrics.jsonl").count == 12)
    let calls = try JSON.read(place.path + "/parts/run.json")["calls"]?.arrayValue
    #expect(calls?.compactMap { $0["first_step"]?.integerValue } == [0, 5, 7])
    let again = try program.run(["train", "parts"])
    #expect(again.code == 0)
    #expect(again.output.contains("all 12 steps are done"))
  }

  @Test func longerRunNeedsPermissionAndEqualsOneInOneGo() throws {
    let program = try Program()
    let place = program.workplace
    let keys = ["schedule.kind=constant", "evaluation.every=0"]
    #expect(try program.run(SmallRun.arguments("whole", keys)).code == 0)
    #expect(try program.run(SmallRun.arguments("parts", keys + ["steps=8"])).code == 0)
    let refused = try program.run("train parts steps=12")
    #expect(refused.code == 2)
    #expect(refused.narration.contains("--allow steps"))
    #expect(try program.run("train parts steps=12 --allow steps").code == 0)
    #expect(try checkpoint(place, "parts", step: "000012") == checkpoint(place, "whole", step: "000012"))
    let model = try program.run("train parts model.layers=2 steps=20 --allow model.layers --allow steps")
    #expect(model.code == 2)
    #expect(model.narration.contains("model.layers: 1 > 2"))
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
  func signalFinishesTheStepSavesAndCanResume(signal: Int32, code: Int32) throws {
    let program = try Program()
    let place = program.workplace
    let keys = ["steps=100000", "evaluation.every=0", "checkpoint.every=0"]
    let running = try program.start(SmallRun.arguments("out", keys))
    try running.waitFor("\"step\":10", in: place.path + "/out/metrics.jsonl")
    // Another process must not train in the same folder.
    let second = try program.run("train out")
    #expect(second.code == 1)
    #expect(second.narration.contains("another process works in it"))
    running.send(signal)
    let ending = try running.wait()
    #expect(ending.code == code, "\(ending.narration)")
    #expect(ending.narration.contains("resume: nibble train out"))
    let stopped = try #require(try lines(place, "out/metrics.jsonl").last?["step"]?.integerValue)
    let state = try JSON.read(place.path + "/out/checkpoints/latest/training_state.json")
    #expect(state["step"]?.integerValue == stopped)
    #expect(try program.run("train out --until \(stopped + 2)").code == 0)
    #expect(try lines(place, "out/metrics.jsonl").last?["step"]?.integerValue == stopped + 2)
  }

  @Test func userSignalSavesAndGoesOn() throws {
    let program = try Program()
    let place = program.workplace
    let running = try program.start(
      SmallRun.arguments("out", ["steps=100000", "evaluation.every=0", "checkpoint.every=0"]))
    try running.waitFor("\"step\":5", in: place.path + "/out/metrics.jsonl")
    running.send(SIGUSR1)
    try running.waitFor("saved", in: place.path + "/out/log.txt")
    running.send(SIGINT)
    #expect(try running.wait().code == 130)
  }

  @Test func divergenceNamesTheOperationAndKeepsTheLastGoodState() throws {
    let program = try Program()
    let ending = try program.run(
      SmallRun.arguments("out", ["optimizer.learning_rate=1e30", "schedule.warmup=0"]))
    #expect(ending.code == 1, "\(ending.narration)")
    #expect(ending.narration.contains("is not finite"))
    #expect(ending.narration.contains("first non-finite result:"))
    #expect(ending.narration.contains("(forward)") || ending.narration.contains("(backward)"))
    #expect(ending.narration.contains("hint:"))
    let path = program.workplace.path + "/out"
    #expect(Folder.exists(path + "/checkpoints/latest/model.safetensors"))
    let calls = try JSON.read(path + "/run.json")["calls"]?.arrayValue
    #expect(calls?.last?["outcome"]?.stringValue == "failed")
  }

  @Test func truncatedModelIsAnErrorEverywhere() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("out", ["--until", "1"])).code == 0)
    let file = "out/checkpoints/step-000001/model.safetensors"
    let bytes = try place.bytes(file)
    try AtomicFile.write(Array(bytes.dropLast(100)), to: place.path + "/" + file)
    for line in [
      "eval out --data embedded --device cpu", "generate out hello --device cpu", "inspect out",
      "train out",
    ] {
      let ending = try program.run(line)
      #expect(ending.code == 2, "\(line): \(ending.narration)")
      #expect(ending.narration.contains("model.safetensors"), "\(line): \(ending.narration)")
    }
  }

  @Test func otherTextIsNotTakenForTheRunsOwn() throws {
    let program = try Program()
    let text = String(repeating: "one two three four five six seven eight nine ten\n", count: 60)
    try program.workplace.write(text, to: "text.txt")
    #expect(try program.run(SmallRun.arguments("out", ["--data", "text.txt", "--until", "3"])).code == 0)
    try program.workplace.write(text + "eleven\n", to: "text.txt")
    let ending = try program.run("train out")
    #expect(ending.code == 2)
    #expect(ending.narration.contains("not what this run was trained on"))
  }

  @Test func fineTunesFromACheckpoint() throws {
    let program = try Program()
    let keys = ["data.tokenizer=bpe:300", "model.architecture=qwen3"]
    #expect(try program.run(SmallRun.arguments("base", keys + ["steps=4"])).code == 0)
    let call =
      "train init=base --data embedded --output tuned --device cpu steps=3 batch.tokens=64 batch.micro=2"
    let ending = try program.run(call)
    #expect(ending.code == 0, "\(ending.narration)")
    let inspected = try #require(try program.run("inspect tuned --json").json().first)
    #expect(inspected["architecture"]?.stringValue == "qwen3")
    #expect(inspected["model"]?["vocabulary"]?.integerValue == 300)
    #expect(try program.run("train tuned steps=5 --allow steps").code == 0)
    let other = try program.run("train init=base --data embedded --output bad --device cpu model.layers=3")
    #expect(other.code == 2)
    #expect(other.narration.contains("model.layers: 3 here, 1 there"))
    #expect(!Folder.exists(program.workplace.path + "/bad"))
  }

  @Test func aBareTextIsEnough() throws {
    let program = try Program()
    let text = String(repeating: "the quick brown fox jumps over the lazy dog\n", count: 100)
    try program.workplace.write(text, to: "book.txt")
    let ending = try program.run(
      "train book.txt --device cpu steps=2 model.layers=1 evaluation.every=0 --minutes 1 --seed 9")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(ending.narration.contains("chosen    preset shakespeare"))
    let runs = try Folder.names(in: program.workplace.path + "/runs")
    #expect(runs.count == 1)
    #expect(runs.first?.hasSuffix("-book-1") == true)
    let settings = try program.workplace.text("runs/\(runs[0])/config.yaml")
    #expect(settings.contains("seed: 9"))
    #expect(settings.contains("# --seed"))
  }
}
