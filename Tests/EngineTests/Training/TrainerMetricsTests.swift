import Files
import Kernels
import Testing

@testable import Engine
@testable import Files

/// What a run tells, and how it fails.
@Suite(.serialized, .exclusiveDevices) struct TrainerMetricsTests {
  private func cpu() throws -> any OperationDevice { try DeviceCatalog.openForOperations("cpu") }

  @Test func everyUpdateIsALineWithItsKeys() throws {
    let run = try TinyRun(on: cpu(), steps: 5)
    run.options.evaluationInterval = 2
    let observer = RecordingObserver()
    try run.train(observer)
    let lines = try run.metrics()
    #expect(lines.map { $0["step"]?.integerValue } == [1, 2, 3, 4, 5])
    #expect(lines.map { $0["tokens"]?.integerValue } == [32, 64, 96, 128, 160])
    for (line, metrics) in zip(lines, observer.steps) {
      var expected: Set = [
        "step", "tokens", "loss", "learning_rate", "gradient_norm", "tokens_per_s", "memory_bytes", "time_s",
      ]
      if metrics.validationLoss != nil { expected.insert("validation_loss") }
      #expect(Set(try #require(line.objectValue).map(\.key)) == expected)
      #expect(line["loss"]?.doubleValue == metrics.loss && metrics.loss > 1 && metrics.loss < 6)
      #expect(line["learning_rate"]?.doubleValue == run.options.schedule(metrics.step))
      #expect(metrics.memoryByteCount > 4 * 4 * 3_000)
    }
    #expect(lines.map { $0["validation_loss"] != nil } == [false, true, false, true, true])
    // The clock advances a quarter between two looks, so an update takes a quarter of a second.
    #expect(lines.allSatisfy { $0["tokens_per_s"]?.doubleValue == 128 })
  }

  @Test func aResumedRunRepeatsLinesAndGoesOnCountingTime() throws {
    let run = try TinyRun(on: cpu(), steps: 6)
    run.options.checkpointInterval = 3
    try run.train()
    let whole = try run.metrics()
    // A torn last line, as after a crash.
    let file = try AppendingFile(path: run.path + "/metrics.jsonl")
    try file.append(Array(#"{"step":7,"los"#.utf8))
    try run.train(from: run.checkpoint(3))
    let resumed = try run.metrics()
    #expect(resumed.count == 6 && Array(resumed[..<3]) == Array(whole[..<3]))
    #expect(resumed.map { $0["loss"] } == whole.map { $0["loss"] })
    let times = resumed.compactMap { $0["time_s"]?.doubleValue }
    #expect(times == times.sorted() && times.count == 6 && times[3] > times[2])
  }

  @Test func valuesThatJSONLacksAreNullAndNamed() throws {
    let metrics = StepMetrics(
      step: 3, tokens: 9, loss: .nan, learningRate: 0.1, gradientNorm: .infinity, tokensPerSecond: 5,
      validationLoss: 2, memoryByteCount: 7, seconds: 1)
    let json = try JSON.parse(metrics.json.serializedBytes(.compact))
    #expect(json["loss"]?.isNull == true && json["gradient_norm"]?.isNull == true)
    #expect(json["nonfinite"] == ["loss: nan", "gradient_norm: inf"])
    #expect(json["validation_loss"]?.doubleValue == 2)
  }

  @Test func eventsCanBeReadBack() throws {
    let run = try TinyRun(on: cpu(), steps: 3)
    run.writesEvents = true
    run.options.evaluationInterval = 2
    try run.train()
    let file = try MappedFile(path: run.path + "/events.out.tfevents.1.test")
    var payloads: [[UInt8]] = []
    var offset = 0
    while let payload = try TensorFlowRecord.payload(at: offset, of: file) {
      payloads.append(payload)
      offset += payload.count + TensorFlowRecord.overhead
    }
    #expect(offset == file.count && payloads.count == 4)
    for (index, payload) in payloads.dropFirst().enumerated() {
      // Field 2, a varint: the step.
      #expect(Array(payload[9..<11]) == [0x10, UInt8(index + 1)])
      let text = String(decoding: payload, as: UTF8.self)
      for tag in ["loss/train", "lr", "grad_norm", "perf/tokens_per_second"] { #expect(text.contains(tag)) }
      #expect(text.contains("loss/valid") == (index > 0))
    }
  }

  @Test func aLossThatIsNotFiniteStopsTheRunWithTheStateBefore() throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 6)
      run.options.schedule = LearningRateSchedule(kind: .constant, peak: 1e30, totalSteps: 6)
      let observer = RecordingObserver()
      let error = #expect(throws: TrainingError.self) { try run.train(observer) }
      guard case .nonFinite(let step, _, let place, let checkpoint) = try #require(error) else {
        Issue.record("another error: \(String(describing: error))")
        return
      }
      #expect(step == 2 && checkpoint == run.checkpoint(1) && observer.steps.count == 1)
      #expect(try #require(place).contains(" in "), "\(String(describing: place))")
      let text = "\(try #require(error))"
      #expect(text.contains("step 2") && text.contains("hint:") && text.contains(checkpoint))
      #expect(try TrainingCheckpoint.readState(checkpoint).step == 1)
      let model = try ModelFolder(checkpoint).load(on: device, trains: true)
      let values = try device.read(model.parameters.values, as: Float.self)
      #expect(values.allSatisfy { $0.isFinite } && values.contains { abs($0) > 1e20 })
      let optimizer = Optimizer(AdamW(), for: model.parameters)
      try TrainingCheckpoint.restore(optimizer, from: checkpoint, on: device)
      #expect(optimizer.stepCount == 1)
    }
  }

  @Test func aRunThatFailsAtOnceSavesWhereItSays() throws {
    let device = try cpu()
    let (first, second) = (try TinyRun(on: device, steps: 1), try TinyRun(on: device, steps: 3))
    try first.train()
    // Continued in another folder, from weights that cannot work.
    let model = try ModelFolder(first.checkpoint(1)).load(on: device, trains: true)
    let weight = try #require(model.parameters["model.norm.weight"])
    device.write([Float](repeating: .infinity, count: weight.shape.count), to: weight.memory)
    let folder = try RunFolder(second.path)
    let trainer = try Trainer(
      second.options, model: model, optimizer: Optimizer(AdamW(), for: model.parameters), data: second.data(),
      folder: folder, metrics: MetricsLog(folder: second.path, after: 1, events: nil), attachments: [],
      state: TrainingCheckpoint.readState(first.checkpoint(1)), clock: { 1 })
    #expect(throws: TrainingError.self) { try trainer.run(RecordingObserver()) }
    #expect(Folder.isFolder(second.checkpoint(1)) && folder.step(of: "latest") == 1)
  }

  @Test func evaluationStopsAfterItsTokens() throws {
    let run = try TinyRun(on: cpu(), steps: 1)
    let windows = try #require(try run.data().validation)
    let model = try run.kind.make(on: run.device)
    let all = try Evaluator(model, batch: 2).run(windows)
    #expect(all.scoredTokens == 99)
    let some = try Evaluator(model, batch: 2).run(windows) { $0.scoredTokens < 40 }
    #expect(some.scoredTokens == 48)
    let single = try Evaluator(model, batch: 1).run(windows)
    #expect(abs(single.loss - all.loss) < 1e-6 && single.scoredTokens == 99)
    #expect(all.standardError > 0 && all.standardError < all.loss)
  }
}
