import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct TrainingStepTests {
  private func sampler(context: Int = 8, sequences: Int = 6) throws -> BatchSampler {
    try BatchSampler(TinyRun.tokens(), context: context, sequencesPerStep: sequences, seed: 2)
  }

  /// Windows of an evaluation have padding, so that micro-batches have different numbers of labels.
  private func uneven(_ ranges: [Range<Int>]) throws -> [Batch] {
    let windows = try EvaluationWindows(TinyRun.tokens().slice(0..<46), context: 8, rule: .everyToken)
    return ranges.map { windows.batch($0) }
  }

  private func gradients(
    _ batches: [Batch], on device: any OperationDevice, loss: LossOptions = LossOptions(),
  ) throws -> (values: [Float], result: TrainingStep.Result) {
    let model = try TinyModel.qwen3.make(on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(SGD(momentum: 0), for: model.parameters), loss: loss, clip: 0)
    let result = try step.run(batches, learningRate: 0, peakLearningRate: 0)
    // Forgetting them is a mark only: the arena still holds the gradients of this step.
    return (try device.read(#require(model.parameters.gradients), as: Float.self), result)
  }

  private func expectEqual(
    _ a: (values: [Float], result: TrainingStep.Result), _ b: (values: [Float], result: TrainingStep.Result),
    _ comment: String,
  ) {
    // Kernels cut other rows into blocks, sums have another order, and OpenCL allows exp an error of 3 ulp.
    #expect(abs(a.result.loss - b.result.loss) <= 2e-6 * abs(a.result.loss), "\(comment)")
    #expect(abs(a.result.gradientNorm - b.result.gradientNorm) <= 1e-5 * a.result.gradientNorm, "\(comment)")
    let worst = zip(a.values, b.values).map { abs($0 - $1) }.max() ?? .infinity
    let largest = a.values.map { abs($0) }.max() ?? 0
    #expect(worst < 4e-6 * largest, "\(comment): \(worst) of \(largest)")
  }

  @Test func anySplitGivesTheSameGradient() throws {
    for device in try TestDevices.all() {
      let sampler = try sampler()
      let whole = try gradients([sampler.batch(step: 3)], on: device)
      #expect(whole.result.gradientNorm > 0.1)
      for cuts in [[0, 1, 2, 3, 4, 5, 6], [0, 3, 6], [0, 4, 6], [0, 1, 6]] {
        let batches = zip(cuts, cuts.dropFirst()).map { sampler.batch(step: 3, sequences: $0..<$1) }
        expectEqual(whole, try gradients(batches, on: device), "\(device.description.name) \(cuts)")
      }
    }
  }

  /// The last window has 5 labels, the others 8: a mean of means would weigh its tokens more.
  @Test func tokensWeighTheSameInUnevenMicroBatches() throws {
    for device in try TestDevices.all() {
      let whole = try gradients(uneven([0..<6]), on: device)
      let parts = try uneven([0..<3, 3..<5, 5..<6])
      #expect(parts.map(\.targetCount) == [24, 16, 5])
      expectEqual(whole, try gradients(parts, on: device), device.description.name)
      let means = try parts.map { try gradients([$0], on: device).result.loss }
      #expect(abs(means.reduce(0, +) / 3 - whole.result.loss) > 1e-4)
      let weighted = zip(means, [24.0, 16, 5]).reduce(0) { $0 + $1.0 * $1.1 } / 45
      #expect(abs(weighted - whole.result.loss) < 1e-5)
    }
  }

  @Test func aStepWithoutLabelsChangesNothing() throws {
    let windows = try EvaluationWindows(TinyRun.tokens().slice(0..<46), context: 8, rule: .everyToken)
    for device in try TestDevices.all() {
      let (values, result) = try gradients([windows.batch(0..<0, sequences: 2)], on: device)
      #expect(result.isFinite && result.loss == 0 && result.gradientNorm == 0)
      #expect(values.allSatisfy { $0 == 0 })
    }
  }

  @Test func theReportedLossHasNoZLoss() throws {
    for device in try TestDevices.all() {
      let batches = try uneven([0..<3, 3..<6])
      let plain = try gradients(batches, on: device)
      let z = try gradients(batches, on: device, loss: LossOptions(zLoss: 0.1))
      #expect(abs(z.result.loss - plain.result.loss) < 1e-5, "\(z.result.loss) and \(plain.result.loss)")
      #expect(z.result.gradientNorm > 1.05 * plain.result.gradientNorm)
    }
  }

  @Test func smoothingAndSoftCapChangeTheLossOnEveryDeviceAlike() throws {
    let batches = try uneven([0..<6])
    for loss in [LossOptions(labelSmoothing: 0.2), LossOptions(softcap: 1), LossOptions(zLoss: 0.01)] {
      let truth = try gradients(batches, on: ReferenceDevice<Double>(), loss: loss)
      for device in try TestDevices.all() {
        let got = try gradients(batches, on: device, loss: loss)
        #expect(abs(got.result.loss - truth.result.loss) < 1e-5)
        #expect(
          abs(got.result.gradientNorm - truth.result.gradientNorm) < 1e-5 * (1 + truth.result.gradientNorm))
      }
    }
  }

  private func losses(_ kind: TinyModel, on device: any OperationDevice, steps: Int = 20) throws -> [Double] {
    let model = try kind.make(on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: LossOptions(), clip: 1)
    let sampler = try sampler()
    return try (0..<steps).map { number in
      try step.run([sampler.batch(step: number)], learningRate: 0.005, peakLearningRate: 0.005).loss
    }
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func devicesAgreeOverTwentySteps(kind: TinyModel) throws {
    let all = try TestDevices.all().map { try losses(kind, on: $0) }
    for other in all.dropFirst() {
      for (a, b) in zip(all[0], other) { #expect(abs(a - b) <= 1e-4 * abs(a), "\(a) and \(b)") }
    }
  }

  /// Single precision keeps 24 bits; twenty AdamW steps enlarge the differences of the last bit, between processors
  /// with other vector widths, to a few millionths.
  @Test(arguments: GoldenLosses.all.indices)
  func goldenLossesAreReproduced(index: Int) throws {
    let golden = GoldenLosses.all[index]
    let got = try losses(golden.kind, on: DeviceCatalog.openForOperations("cpu"))
    #expect(got.count == golden.losses.count, "\(got)")
    for (step, pair) in zip(got, golden.losses).enumerated() {
      #expect(abs(pair.0 - pair.1) <= 2e-5 * pair.1, "\(golden.kind) step \(step + 1): \(got)")
    }
    #expect(try losses(golden.kind, on: DeviceCatalog.openForOperations("cpu")) == got)
  }

  /// The beginnings of the golden runs are near what double precision gives: they are not only frozen but right.
  @Test(arguments: GoldenLosses.all.indices)
  func goldenLossesAreThoseOfDoublePrecision(index: Int) throws {
    let golden = GoldenLosses.all[index]
    for pair in zip(try losses(golden.kind, on: ReferenceDevice<Double>(), steps: 6), golden.losses) {
      #expect(abs(pair.0 - pair.1) <= 1e-4 * pair.1, "\(golden.kind): \(pair)")
    }
  }

  @Test func aNonFiniteStepChangesNothingAndIsNamed() throws {
    for device in try TestDevices.all() {
      let model = try TinyModel.llama.make(on: device, trains: true)
      let optimizer = Optimizer(AdamW(), for: model.parameters)
      let step = TrainingStep(model: model, optimizer: optimizer, loss: LossOptions(), clip: 1)
      let batches = [try sampler().batch(step: 0)]
      _ = try step.run(batches, learningRate: 0.01, peakLearningRate: 0.01)
      let weight = try #require(model.parameters["model.layers.1.mlp.up_proj.weight"])
      let good = try device.read(weight.memory, as: Float.self)
      var bad = good
      bad[7] = .nan
      device.write(bad, to: weight.memory)
      let before = try device.read(model.parameters.values, as: Float.self).map(\.bitPattern)
      let moments = try device.read(optimizer.state[0], as: Float.self)
      let result = try step.run(batches, learningRate: 0.01, peakLearningRate: 0.01)
      #expect(!result.isFinite && optimizer.stepCount == 1)
      #expect(try device.read(model.parameters.values, as: Float.self).map(\.bitPattern) == before)
      #expect(try device.read(optimizer.state[0], as: Float.self) == moments)
      let place = try #require(try step.firstNonFinite(batches))
      #expect(place.contains("layers.1.mlp") && place.contains("(forward)"), "\(place)")
      // The device and the model go on as if nothing had been.
      device.write(good, to: weight.memory)
      #expect(model.parameters.parameters.allSatisfy { $0.gradientIsEmpty })
      #expect(try step.firstNonFinite(batches) == nil)
      #expect(try step.run(batches, learningRate: 0.01, peakLearningRate: 0.01).isFinite)
      #expect(optimizer.stepCount == 2)
    }
  }
}

/// Losses of twenty AdamW steps on the host.
struct GoldenLosses {
  let kind: TinyModel
  let losses: [Double]

  static let all: [GoldenLosses] = [
    GoldenLosses(
      kind: .llama,
      losses: [
        3.5001357, 3.4903951, 3.1746182, 3.0670371, 3.1712065, 3.0305216, 2.8788741, 2.8162918,
        3.0291641, 3.0514634, 2.7979491, 2.7482352, 2.6057682, 2.6578071, 2.5718811, 2.4988911,
        2.6742094, 2.5532632, 2.6553068, 2.3148251,
      ]),
    GoldenLosses(
      kind: .gpt2,
      losses: [
        3.9506013, 3.2230146, 3.1683083, 3.1744218, 3.2841702, 3.0267153, 3.2569382, 2.8929081,
        3.1634185, 2.9547815, 3.1974754, 2.9579434, 2.8420146, 2.9360323, 2.7874529, 2.8643854,
        2.8184683, 2.8312726, 2.9785321, 2.7266083,
      ]),
    GoldenLosses(
      kind: .qwen3,
      losses: [
        3.4908724, 3.4396152, 3.1719000, 2.9849181, 3.2284427, 2.9519050, 2.8256960, 2.8743298,
        3.0923991, 3.0420771, 2.8339095, 2.7432353, 2.7029116, 2.6054797, 2.5908184, 2.4914594,
        2.6756394, 2.5158532, 2.7258856, 2.3332250,
      ]),
  ]
}
