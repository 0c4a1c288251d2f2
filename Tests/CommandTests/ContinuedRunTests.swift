import Files
import Glibc
import Testing

/// What a run that goes on, or starts from another's weights, takes over and what it refuses.
@Suite struct ContinuedRunTests {
  private func lines(_ place: Program.Workplace, _ name: String) throws -> [JSON] {
    try place.text(name).split(separator: "\n").map { try JSON(parsing: String($0), source: name) }
  }

  /// Replaces the first `old` in a file by `new`.
  private func edit(_ place: Program.Workplace, _ name: String, _ old: String, _ new: String) throws {
    let text = try place.text(name)
    let parts = text.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2, "'\(old)' is not in \(text)")
    try place.write(parts[0] + new + parts[1], to: name)
  }

  @Test func scheduleFollowsALongerRun() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("out", ["evaluation.every=0"])).code == 0)
    let ending = try program.run("train out steps=24 --allow steps")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(ending.narration.contains("schedule.decay_steps: 10 > 22"))
    let rates = try lines(place, "out/metrics.jsonl").compactMap { $0["learning_rate"]?.doubleValue }
    #expect(rates.count == 24)
    // Near the middle of the fall from 1e-2 to 1e-3, where the short schedule had ended.
    #expect(rates[11] < 1.5e-3 && rates[12] > 5e-3 && rates[23] < 1.5e-3)
    #expect(zip(rates.dropFirst(12), rates.dropFirst(13)).allSatisfy { $0 > $1 })
  }

  @Test func chosenScheduleStaysInALongerRun() throws {
    let program = try Program()
    let keys = ["evaluation.every=0", "schedule.decay_steps=6"]
    #expect(try program.run(SmallRun.arguments("out", keys)).code == 0)
    let ending = try program.run("train out steps=14 --allow steps")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(!ending.narration.contains("schedule.decay_steps:"))
    #expect(try program.workplace.text("out/config.yaml").contains("decay_steps: 6 "))
  }

  @Test func stateAndOptimizerOfDifferentStepsAreRefused() throws {
    let program = try Program()
    #expect(try program.run(SmallRun.arguments("out", ["--until", "4"])).code == 0)
    try edit(
      program.workplace, "out/checkpoints/step-000004/training_state.json", "\"step\": 4", "\"step\": 3")
    let ending = try program.run("train out")
    #expect(ending.code == 2)
    #expect(ending.narration.contains("do not belong together"), "\(ending.narration)")
    #expect(ending.narration.contains("optimizer.safetensors: step 4"))
  }

  @Test func runGoesOnWithoutTheFileItsTokenizerCameFrom() throws {
    let program = try Program()
    let place = program.workplace
    let text = String(repeating: "the cat sat on the mat and the dog sat on the log\n", count: 200)
    try place.write(text, to: "cats.txt")
    #expect(try program.run("tokenizer train --data cats.txt --vocabulary 270 --output tok").code == 0)
    let keys = ["--data", "cats.txt", "data.tokenizer=./tok", "evaluation.every=0", "model.context=16"]
    let begun = try program.run(SmallRun.arguments("out", keys + ["--until", "3"]))
    #expect(begun.code == 0, "\(begun.narration)")
    try Folder.remove(place.path + "/tok")
    #expect(try program.run("train out --plan").code == 0)
    let ending = try program.run("train out --until 5")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(Folder.exists(place.path + "/out/checkpoints/step-000005/tokenizer.json"))
  }

  @Test func softCapOfACheckpointIsTakenOver() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("base", ["loss.softcap=2", "--until", "2"])).code == 0)
    let call = "train init=base --data embedded --device cpu steps=2 batch.tokens=64 batch.micro=2 --output"
    let ending = try program.run(call + " tuned")
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(try place.text("tuned/config.yaml").contains("softcap: 2 "))
    let other = try program.run(call + " bad loss.softcap=30")
    #expect(other.code == 2)
    #expect(other.narration.contains("loss.softcap: 30 here, 2 there"), "\(other.narration)")

    try edit(
      place, "base/checkpoints/latest/config.json", "\"final_logit_softcapping\": 2",
      "\"final_logit_softcapping\": -2")
    for line in ["eval base --device cpu", "generate base a --device cpu", call + " negative"] {
      let refused = try program.run(line)
      #expect(refused.code == 2, "\(line): \(refused.narration)")
      #expect(refused.narration.contains("final_logit_softcapping"), "\(line): \(refused.narration)")
    }
  }

  @Test func weightsWithoutNumbersGenerateAnError() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("out", ["--until", "1"])).code == 0)
    let file = "out/checkpoints/latest/model.safetensors"
    var bytes = try place.bytes(file)
    let header = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    // Every bit set is a NaN.
    for index in (8 + header)..<bytes.count { bytes[index] = 0xFF }
    try AtomicFile.write(bytes, to: place.path + "/out/checkpoints/step-000001/model.safetensors")
    for temperature in ["0", "0.8"] {
      let ending = try program.run("generate out Once --device cpu --temperature \(temperature)")
      #expect(ending.code == 1, "\(ending.narration)")
      #expect(ending.narration.contains("are not finite"))
    }
  }

  @Test func modelFolderOfABareNameStartsARun() throws {
    let program = try Program()
    let place = program.workplace
    let trained = SmallRun.arguments("base", ["data.tokenizer=bpe:270", "--until", "1"])
    #expect(try program.run(trained).code == 0)
    #expect(rename(place.path + "/base/checkpoints/step-000001", place.path + "/model") == 0)
    let ending = try program.run(
      "train init=model --data embedded --device cpu steps=2 batch.tokens=64 batch.micro=2 --output out")
    #expect(ending.code == 0, "\(ending.narration)")
  }

  @Test func timeLimitEndsARunThatBecameSlower() throws {
    let program = try Program()
    // Evaluations of the whole text were not counted when the number of steps was chosen.
    let keys = ["evaluation.every=1", "evaluation.tokens=0", "steps=100000", "--minutes", "0.02"]
    let ending = try program.run(SmallRun.arguments("out", keys))
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(ending.output.contains("stopped at the time limit after step"), "\(ending.output)")
    #expect(Folder.exists(program.workplace.path + "/out/checkpoints/latest/model.safetensors"))
  }

  @Test func inspectRefusesTensorOptionsForATokenizer() throws {
    let program = try Program()
    try program.workplace.write("the cat sat on the mat, the cat sat on the mat\n", to: "cats.txt")
    #expect(try program.run("tokenizer train --data cats.txt --vocabulary 260 --output tok").code == 0)
    let ending = try program.run("inspect tok --statistics")
    #expect(ending.code == 2)
    #expect(ending.narration.contains("--statistics has no effect"))
  }
}
