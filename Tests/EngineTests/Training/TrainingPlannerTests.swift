import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct TrainingPlannerTests {
  static let kinds: [TinyModel] = [.llama, .qwen3, .gpt2]

  /// Large enough that tensors fill the allocator's blocks.
  private func configuration(_ kind: TinyModel) -> ModelConfiguration {
    var configuration = kind.configuration(layers: 3, contextLength: 64)
    configuration.modelDimension = 192
    configuration.headDimension = 48
    if kind != .gpt2 { configuration.rope = RotarySettings(theta: 1e4, rotaryDimensions: 48) }
    configuration.hiddenDimension = 512
    configuration.vocabularySize = 700
    return configuration
  }

  private func options(recomputesLayers: Bool = false) -> TrainingOptions {
    var options = TinyRun.options(steps: 4)
    options.contextLength = 64
    options.sequencesPerStep = 8
    options.microBatch = 4
    options.recomputesLayers = recomputesLayers
    return options
  }

  private func peak(_ kind: TinyModel, _ options: TrainingOptions, on device: any OperationDevice) throws
    -> Int
  {
    let model = try ModelInitialization.make(configuration(kind), seed: 1, on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: options.loss, clip: 1,
      recomputesLayers: options.recomputesLayers)
    let sampler = try BatchSampler(TinyRun.tokens(), context: 64, sequencesPerStep: 8, seed: 1)
    for number in 0..<2 {
      let batches = [0..<4, 4..<8].map { sampler.batch(step: number, sequences: $0) }
      _ = try step.run(batches, learningRate: 1e-3, peakLearningRate: 1e-3)
    }
    return device.memoryUse.peak
  }

  @Test(arguments: kinds, [false, true])
  func theEstimateIsWhatAStepUses(kind: TinyModel, recomputes: Bool) throws {
    for device in try TestDevices.all() {
      let options = options(recomputesLayers: recomputes)
      let estimate = try TrainingPlanner.estimate(
        configuration(kind), options: options, rule: AdamW(), device: device.description)
      let used = try peak(kind, options, on: device)
      let ratio = Double(used) / Double(estimate.totalByteCount)
      #expect(
        (0.95...1.05).contains(ratio),
        "\(kind) on \(device.description.name): \(used) of \(estimate.totalByteCount)")
    }
  }

  @Test func theEstimateCountsWhatTheModelHas() throws {
    let description = try DeviceCatalog.openForOperations("cpu").description
    let estimate = try TrainingPlanner.estimate(
      configuration(.llama), options: options(), rule: AdamW(), device: description)
    // Tables 2 V C, per layer attention 2 C (4 + 2) 48, MLP 3 C F and two gains, and the last gain.
    let count = 2 * 700 * 192 + 3 * (2 * 192 * 6 * 48 + 3 * 192 * 512 + 2 * 192) + 192
    #expect(estimate.parameterCount == count)
    // Padding between parameters, and the block that holds them all is at most an eighth larger.
    #expect(
      estimate.weightByteCount >= 4 * count && estimate.weightByteCount < (4 * count + 30 * 4096) * 9 / 8)
    #expect(estimate.gradientByteCount == estimate.weightByteCount)
    #expect(estimate.optimizerByteCount >= 2 * estimate.weightByteCount)
    // Six FLOPs per weight of a product and token; the embedding is looked up; attention adds to it.
    let products = Double(6 * (count - 700 * 192) * 8 * 64)
    #expect(estimate.flopsPerStep > products && estimate.flopsPerStep < 1.25 * products)
    #expect(estimate.work.reduce(0) { $0 + $1.cost.flops } == estimate.flopsPerStep)
    let plain = try TrainingPlanner.estimate(
      configuration(.llama), options: options(), rule: SGD(momentum: 0), device: description)
    #expect(plain.optimizerByteCount < 4096 * 4)
  }

  @Test(arguments: kinds)
  func recomputationKeepsLessAndWorksMore(kind: TinyModel) throws {
    let description = try DeviceCatalog.openForOperations("cpu").description
    let estimates = try [false, true].map {
      try TrainingPlanner.estimate(
        configuration(kind), options: options(recomputesLayers: $0), rule: AdamW(), device: description)
    }
    // One of three layers' activations at a time, and the layers' inputs.
    #expect(Double(estimates[1].activationByteCount) < 0.7 * Double(estimates[0].activationByteCount))
    #expect(estimates[1].flopsPerStep > 1.15 * estimates[0].flopsPerStep)
    #expect(estimates[1].flopsPerStep < 4 / 3 * estimates[0].flopsPerStep)
  }

  @Test func anImpossibleModelIsAnErrorWhilePlanning() throws {
    var configuration = configuration(.llama)
    configuration.heads = 5
    let description = try DeviceCatalog.openForOperations("cpu").description
    #expect(throws: ModelError.self) {
      try TrainingPlanner.estimate(configuration, options: options(), rule: AdamW(), device: description)
    }
  }
}
