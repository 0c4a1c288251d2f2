import Files
import Kernels
import Testing

@testable import Engine

/// A run that was stopped and resumed is the uninterrupted run, byte for byte.
@Suite(.serialized, .exclusiveDevices) struct ResumeTests {
  private func expectSameFiles(_ a: TinyRun, _ b: TinyRun, step: Int) throws {
    let (first, second) = (try a.files(step), try b.files(step))
    #expect(
      first.keys.sorted() == [
        "config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "training_state.json",
      ])
    #expect(first.keys.sorted() == second.keys.sorted())
    for name in first.keys.sorted() {
      #expect(first[name] == second[name], "\(name) of step \(step) on \(a.device.description.name)")
    }
  }

  @Test(arguments: [TinyModel.llama, .gpt2], [1, 5])
  func stoppedAndResumedEqualsUninterrupted(kind: TinyModel, stop: Int) throws {
    for device in try TestDevices.all() {
      let (whole, parts) = (try TinyRun(on: device), try TinyRun(on: device))
      (whole.kind, parts.kind) = (kind, kind)
      #expect(try whole.train() == .finished)
      #expect(try parts.train(RecordingObserver([stop: .stop])) == .stopped)
      #expect(try RunFolder(parts.path).step(of: "latest") == stop)
      #expect(try parts.train(from: parts.path + "/checkpoints/latest") == .finished)
      try expectSameFiles(whole, parts, step: 8)
    }
  }

  @Test func evaluationsSamplesAndSavesInBetweenChangeNothing() throws {
    for device in try TestDevices.all() {
      let (whole, parts, plain) = (try TinyRun(on: device), try TinyRun(on: device), try TinyRun(on: device))
      for run in [whole, parts] {
        run.options.evaluationInterval = 3
        run.options.sampleInterval = 2
        run.options.sampleTokens = 5
        run.options.samplePrompt = "ab"
        run.options.keptCheckpoints = 20
      }
      parts.options.checkpointInterval = 2
      let (one, two, three) = (
        RecordingObserver(), RecordingObserver([4: .stop]), RecordingObserver([6: .save])
      )
      try whole.train(one)
      try parts.train(two)
      try parts.train(three, from: parts.path + "/checkpoints/latest")
      try plain.train()
      try expectSameFiles(whole, parts, step: 8)
      for name in ["model.safetensors", "optimizer.safetensors"] {
        #expect(try plain.files(8)[name] == whole.files(8)[name])
      }
      #expect(one.evaluations == two.evaluations.merging(three.evaluations) { first, _ in first })
      #expect(one.samples == two.samples.merging(three.samples) { first, _ in first })
      #expect(one.samples.keys.sorted() == [2, 4, 6, 8] && one.evaluations.keys.sorted() == [3, 6, 8])
    }
  }

  @Test func otherMicroBatchesGoOnWithTheSameTokens() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let (whole, parts) = (try TinyRun(on: device), try TinyRun(on: device))
    let (one, two) = (RecordingObserver(), RecordingObserver())
    try whole.train(one)
    try parts.train(RecordingObserver([4: .stop]))
    parts.options.microBatch = 4
    try parts.train(two, from: parts.checkpoint(4))
    for (a, b) in zip(one.steps.dropFirst(4), two.steps) { #expect(abs(a.loss - b.loss) < 1e-5) }
    #expect(two.steps.map(\.step) == [5, 6, 7, 8])
  }

  /// The number of updates that a given time allows is chosen once; the checkpoint carries it.
  @Test(arguments: [9, 14])
  func aTimedRunKeepsItsLengthWhenResumed(stop: Int) throws {
    for device in try TestDevices.all() {
      let (whole, parts) = (try TinyRun(on: device), try TinyRun(on: device))
      for run in [whole, parts] {
        run.options = TinyRun.options(steps: 400)
        run.options.seconds = 15
        run.options.schedule.kind = .wsd
        run.options.schedule.decaySteps = 100
      }
      let observer = RecordingObserver()
      try whole.train(observer)
      let chosen = try #require(observer.chosen)
      #expect(chosen > 14 && chosen < 100 && observer.steps.count == chosen)
      try parts.train(RecordingObserver([stop: .stop]))
      let state = try TrainingCheckpoint.readState(parts.checkpoint(stop))
      #expect(state.totalSteps == chosen)
      parts.options.take(chosenSteps: state.totalSteps)
      let resumed = RecordingObserver()
      try parts.train(resumed, from: parts.checkpoint(stop))
      #expect(resumed.chosen == nil && resumed.steps.map(\.step) == Array(stop + 1...chosen))
      try expectSameFiles(whole, parts, step: chosen)
    }
  }

  @Test func otherDataIsRefused() throws {
    let run = try TinyRun(on: DeviceCatalog.openForOperations("cpu"), steps: 2)
    try run.train()
    run.dataHash = "other"
    let error = #expect(throws: TrainingError.self) { try run.train(from: run.checkpoint(2)) }
    let text = "\(try #require(error))"
    #expect(text.contains(": data\n") && text.contains(": other\n") && text.contains("hint:"))
  }

  @Test func aDamagedTrainingStateIsAnError() throws {
    let run = try TinyRun(on: DeviceCatalog.openForOperations("cpu"), steps: 2)
    try run.train()
    let path = run.checkpoint(2) + "/training_state.json"
    let object = try #require(try JSON.read(path).objectValue)
    #expect(try TrainingCheckpoint.readState(run.checkpoint(2)).step == 2)
    let changes: [(String, JSON?)] = [
      ("step", -1), ("step", nil), ("step", "2"), ("step", .integer(.max)), ("total_steps", .integer(.min)),
      ("tokens", -5), ("seed", nil), ("seed", "-1"), ("seed", 3), ("data_sequences", .integer(.max)),
    ]
    for (key, value) in changes {
      var changed = object
      changed[key] = value
      try JSON.object(changed).write(to: path)
      let error = #expect(throws: ModelError.self) { try TrainingCheckpoint.readState(run.checkpoint(2)) }
      #expect("\(try #require(error))".contains(key))
    }
  }

  @Test func anotherOptimizerOrALackingStateIsRefused() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 1)
    try run.train()
    let model = try ModelFolder(run.checkpoint(1)).load(on: device, trains: true)
    #expect(throws: ModelError.self) {
      try TrainingCheckpoint.restore(
        Optimizer(SGD(), for: model.parameters), from: run.checkpoint(1), on: device)
    }
    let path = run.checkpoint(1) + "/optimizer.safetensors"
    let file = try SafetensorsFile(path: path)
    let kept = file.entries.dropFirst().map { ($0, SafetensorsDeclaration($0.name, .float32, $0.shape)) }
    let values = Dictionary(uniqueKeysWithValues: try kept.map { ($0.0.name, try file.floats($0.0.name)) })
    let writer = try SafetensorsWriter(path: path, tensors: kept.map(\.1), metadata: file.metadata)
    for declaration in writer.order {
      try writer.append(declaration.name, floats: values[declaration.name] ?? [])
    }
    try writer.finish()
    let error = #expect(throws: ModelError.self) {
      try TrainingCheckpoint.restore(
        Optimizer(AdamW(), for: model.parameters), from: run.checkpoint(1), on: device)
    }
    #expect("\(try #require(error))".contains("_moment."))
  }
}
