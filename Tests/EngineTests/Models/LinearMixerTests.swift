import Configuration
import Files
import Kernels
import Testing

@testable import Engine

/// Every linear mixer as a layer: trained, written, read, and run from its state.
@Suite(.serialized, .exclusiveDevices) struct LinearMixerTests {
  private static let kinds = LinearMixerCatalogue.all.map { $0.name }

  /// Layers of one mixer, and one of attention where it says so.
  private func configuration(_ kinds: [String]) -> ModelConfiguration {
    var configuration = TinyModel.llama.configuration(layers: kinds.count)
    configuration.architecture = Hybrid.modelType
    configuration.mixers.kinds = kinds
    return configuration
  }

  /// A model after two updates.
  private func trained(_ kinds: [String], on device: any OperationDevice) throws -> any LanguageModel {
    let model = try ModelInitialization.make(configuration(kinds), seed: 4, on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: LossOptions(), clip: 1)
    let sampler = try BatchSampler(TinyRun.tokens(), context: 24, sequencesPerStep: 4, seed: 2)
    var losses: [Double] = []
    for number in 0..<3 {
      // The same tokens again: what was learned must show.
      let isLast = number == 2
      let result = try step.run(
        [sampler.batch(step: 0)], learningRate: isLast ? 0 : 0.01, peakLearningRate: 0.01)
      #expect(result.isFinite && result.gradientNorm > 0, "\(kinds) on \(device.description.name)")
      losses.append(result.loss)
    }
    #expect(losses[2] < losses[0], "\(kinds) on \(device.description.name): \(losses)")
    return model
  }

  /// 70 tokens: more than a chunk.
  private func expectEveryChunkingGivesTheLogits(_ model: any LanguageModel, _ comment: String) throws {
    let ids = TinyTokens.ids(70)
    let expected = try model.logits([ids])
    for chunks in [[Int](repeating: 1, count: 70), [65, 1, 1, 3], [9, 61]] {
      let cache = DecodingCache(
        for: model.configuration, capacity: 70, on: model.parameters.device)
      var rows: [[Float]] = []
      for count in chunks {
        let start = cache.count
        rows += try model.logits([Array(ids[start..<start + count])], cache: cache)
        cache.advance(by: count)
      }
      #expect(largestDifference(rows, expected) < 1e-4, "\(comment) in \(chunks.count) parts")
    }
  }

  @Test(arguments: kinds.map { [$0, $0] } + [["gated_delta", MixerSettings.attention, "retention"]])
  func aTrainedModelIsWrittenAndReadAndRunsFromItsState(kinds: [String]) throws {
    for device in try TestDevices.all() {
      let folder = try TemporaryFolder()
      let model = try trained(kinds, on: device)
      try ModelFolder.write(model, to: folder.path)
      let loaded = try ModelFolder(folder.path).load(on: device)
      #expect(loaded.configuration.mixers == model.configuration.mixers)
      #expect(try loaded.logits([TinyTokens.ids(70)]) == model.logits([TinyTokens.ids(70)]))
      try expectEveryChunkingGivesTheLogits(loaded, "\(kinds) on \(device.description.name)")
    }
  }

  @Test func everyMixerCanBeConfiguredAndNothingElse() {
    #expect(Set(MixerName.allCases.map(\.rawValue)) == Set([MixerSettings.attention] + Self.kinds))
    #expect(MixerName.allCases.count == 1 + Self.kinds.count)
  }
}
