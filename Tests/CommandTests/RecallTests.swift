import Files
import Testing

/// Runs of a second on a generated task: no text, no tokenizer, accuracy as the measure.
@Suite struct RecallTests {
  private static let keys = [
    "preset=mqar", "model.dimension=32", "model.vocabulary=256", "task.pairs=2", "model.context=16",
    "batch.tokens=128", "batch.micro=4", "steps=12", "schedule.warmup=2", "evaluation.every=6",
    "task.held_out=10",
  ]

  private func train(_ program: Program, _ output: String, _ more: [String] = []) throws -> Program.Ending {
    try program.run(["train"] + Self.keys + ["--output", output, "--device", "cpu"] + more)
  }

  @Test func trainsWithoutTextAndEvaluatesTheSame() throws {
    let program = try Program()
    let ending = try train(program, "out", ["--json"])
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(ending.narration.contains("accuracy ") && ending.narration.contains("next: nibble eval out"))
    #expect(ending.narration.contains("2 pairs in 16 tokens of 256 kinds"))
    let evaluations = try ending.json().filter { $0["kind"]?.stringValue == "evaluation" }
    #expect(evaluations.map { $0["scored_tokens"]?.integerValue } == [20, 20])
    let accuracy = try #require(evaluations.last?["validation_accuracy"]?.doubleValue)
    #expect((0...1).contains(accuracy))

    // With 256 ids the model could be taken for one of bytes.
    let text = try program.run("generate out Once --device cpu")
    #expect(text.code == 2 && text.narration.contains("has no tokenizer"), "\(text.narration)")
    let evaluation = try program.run("eval out --device cpu --json")
    #expect(evaluation.code == 0, "\(evaluation.narration)")
    let found = try #require(try evaluation.json().first)
    #expect(found["accuracy"]?.doubleValue == accuracy && found["scored_tokens"]?.integerValue == 20)
    #expect(try program.run("eval out --device cpu").output.hasPrefix("accuracy  "))
    // A checkpoint inside the run knows its task, another length is another measurement.
    let longer = try program.run("eval out/checkpoints/step-000012 --context 12 --device cpu --json").json()
    #expect(longer.first?["context"]?.integerValue == 12)
    for (call, words) in [
      ("eval out --split training --device cpu", "leave out --split"),
      ("eval out --context 7 --device cpu", "do not fit into 7 tokens"),
      ("eval out --data embedded --device cpu", "has no tokenizer"),
    ] {
      let refused = try program.run(call)
      #expect(refused.code == 2 && refused.narration.contains(words), "\(call): \(refused.narration)")
    }
    let next = try program.run(
      ["train", "init=out", "--output", "next", "--device", "cpu"] + Self.keys + ["steps=4"])
    #expect(next.code == 0, "\(next.narration)")
  }

  @Test func resumingRepeatsTheUninterruptedRun() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try train(program, "whole").code == 0)
    #expect(try train(program, "parts", ["--until", "5"]).code == 0)
    #expect(try program.run(["train", "parts"]).code == 0)
    for file in [
      "model.safetensors", "optimizer.safetensors", "training_state.json", "tokenizer_config.json",
    ] {
      let name = "checkpoints/step-000012/\(file)"
      #expect(try place.bytes("whole/\(name)") == place.bytes("parts/\(name)"), "\(file)")
    }
    let refused = try program.run("train parts task.pairs=3 steps=20 --allow steps")
    #expect(refused.code == 2 && refused.narration.contains("--allow task.pairs"), "\(refused.narration)")
  }
}
