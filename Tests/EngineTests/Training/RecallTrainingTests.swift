import Files
import Kernels
import Testing

@testable import Engine

/// A model that learns to recall, measured by accuracy.
@Suite(.serialized, .exclusiveDevices) struct RecallTrainingTests {
  /// Two pairs in eight tokens of 18 kinds: a model that only knows the shown values is right half of the time.
  private func recall(_ run: TinyRun) throws -> Trainer.TrainingData {
    let task = try AssociativeRecall(pairs: 2, length: 8, vocabularySize: 18)
    return Trainer.TrainingData(
      sampler: RecallSampler(
        task, sequencesPerStep: run.options.sequencesPerStep, seed: run.options.seed),
      validation: RecallEvaluation(task, count: 64, seed: run.options.seed), hash: task.title, coding: nil)
  }

  @Test func accuracyIsTheShareOfLargestLogits() throws {
    for device in try TestDevices.all() {
      let model = try TinyModel.llama.make(on: device)
      let task = try AssociativeRecall(pairs: 4, length: 16, vocabularySize: 18)
      let data = RecallEvaluation(task, count: 50, seed: 2)
      let result = try Evaluator(model, batch: 16).run(data)
      let batch = data.batch(of: 0..<50)
      let tape = Tape(on: device, isRecording: false)
      let states = model.hiddenStates(
        Tensor(batch.inputs, shape: [50, 16], on: device), ForwardContext(tape: tape))
      let logits = try tape.linear(states, weight: model.head.value).floats(on: device)
      let kinds = TinyModel.vocabularySize
      let correct = batch.labels.indices.count { position in
        let row = Array(logits[position * kinds..<(position + 1) * kinds])
        return batch.labels[position] >= 0 && row.max() == row[Int(batch.labels[position])]
      }
      #expect(result.scoredTokens == 200 && result.correctTokens == correct)
      // A random model is right now and then, or the comparison above compares nothing.
      #expect(correct > 0 && correct < 100)
      #expect(result.accuracy == Double(correct) / 200)
    }
  }

  @Test func equalLogitsAreNoAnswer() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let model = try TinyModel.llama.make(on: device)
    device.write([Float](repeating: 0, count: model.head.shape.count), to: model.head.memory)
    let task = try AssociativeRecall(pairs: 2, length: 8, vocabularySize: 18)
    let result = try Evaluator(model, batch: 8).run(RecallEvaluation(task, count: 8, seed: 2))
    #expect(result.correctTokens == 0 && result.scoredTokens == 16)
  }

  @Test func trainingRaisesAccuracyAndTheBestCheckpointHasTheHighest() throws {
    let run = try TinyRun(on: try DeviceCatalog.openForOperations("cpu"), steps: 400)
    run.otherData = recall
    run.options.sequencesPerStep = 16
    run.options.microBatch = 16
    run.options.evaluationInterval = 50
    let observer = RecordingObserver()
    try run.train(observer)
    let accuracies = observer.steps.compactMap { step in step.validationAccuracy.map { (step.step, $0) } }
    #expect(accuracies.map(\.0) == [50, 100, 150, 200, 250, 300, 350, 400])
    let untrained = try run.kind.make(on: run.device, seed: run.options.seed)
    let validation = try #require(try recall(run).validation)
    let before = try #require(try Evaluator(untrained, batch: 16).run(validation).accuracy)
    let best = try #require(accuracies.map(\.1).max())
    // Half is what choosing between the shown values gives; a model of this size learns little more.
    #expect(before < 0.25 && best > 0.5, "\(before), \(accuracies)")
    let step = try #require(try RunFolder(run.path).step(of: "best"))
    #expect(accuracies.first { $0.0 == step }?.1 == best)
    #expect(try TrainingCheckpoint.readState(run.checkpoint(step)).bestAccuracy == best)
    let lines = try run.metrics()
    #expect(lines.compactMap { $0["validation_accuracy"]?.doubleValue } == accuracies.map(\.1))
  }

  @Test func aHigherAccuracyCountsBeforeALowerLoss() {
    var state = TrainingState(totalSteps: 9, seed: 1, dataHash: "")
    func result(_ correct: Int?, loss: Double) -> Evaluator.Result {
      var result = Evaluator.Result()
      (result.total, result.scoredTokens, result.correctTokens) = (10 * loss, 10, correct)
      return result
    }
    let results = [
      result(4, loss: 2), result(3, loss: 1), result(5, loss: 3), result(5, loss: 3), result(5, loss: 2.5),
      result(9, loss: .nan),
    ]
    let isBest = results.map { state.take($0) }
    #expect(isBest == [true, false, true, false, true, false])
    #expect(state.bestAccuracy == 0.5 && state.bestValidationLoss == 2.5)
    var text = TrainingState(totalSteps: 9, seed: 1, dataHash: "")
    let isBestText = [2, 2, 1, 3].map { text.take(result(nil, loss: $0)) }
    #expect(isBestText == [true, false, true, false])
    #expect(text.bestAccuracy == nil && text.bestValidationLoss == 1)
  }

  @Test func stoppedAndResumedEqualsUninterrupted() throws {
    for device in try TestDevices.all() {
      let (whole, parts) = (try TinyRun(on: device), try TinyRun(on: device))
      for run in [whole, parts] {
        run.otherData = recall
        run.options.evaluationInterval = 3
      }
      try whole.train()
      #expect(try parts.train(RecordingObserver([4: .stop])) == .stopped)
      try parts.train(from: parts.path + "/checkpoints/latest")
      #expect(try whole.files(8) == parts.files(8))
      let accuracies = try [whole, parts].map { try $0.metrics().map { $0["validation_accuracy"] } }
      #expect(accuracies[0] == accuracies[1] && accuracies[0].count { $0 != nil } == 3)
    }
  }

  @Test func anotherTaskIsOtherData() throws {
    let run = try TinyRun(on: try DeviceCatalog.openForOperations("cpu"), steps: 2)
    run.otherData = recall
    try run.train()
    run.options.steps = 3
    run.otherData = { run in
      let task = try AssociativeRecall(pairs: 1, length: 8, vocabularySize: 18)
      return Trainer.TrainingData(
        sampler: RecallSampler(task, sequencesPerStep: 4, seed: 1), validation: nil, hash: task.title,
        coding: nil)
    }
    #expect(throws: TrainingError.self) { try run.train(from: run.checkpoint(2)) }
  }
}
