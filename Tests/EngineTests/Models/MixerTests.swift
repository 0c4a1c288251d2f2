import Configuration
import Files
import Kernels
import Testing

@testable import Engine

/// Every mixer as a layer: trained, written, read, run from its state, and kept inside documents.
@Suite(.serialized, .exclusiveDevices) struct MixerTests {
  private static let kinds = MixerCatalogue.all.map { $0.name }

  private static let hybrids = [
    ["gated_delta", MixerSettings.attention, "retention"],
    ["gated_delta", "rwkv7", MixerSettings.sliding, MixerSettings.attention, "rwkv7"],
  ]

  /// A model after two updates.
  private func trained(_ kinds: [String], on device: any OperationDevice) throws -> any LanguageModel {
    let model = try ModelInitialization.make(TinyModel.hybrid(kinds), seed: 4, on: device, trains: true)
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

  @Test(arguments: kinds.map { [$0, $0] } + hybrids)
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

  /// 70 tokens in one row, of documents that end inside and at the ends of chunks and blocks.
  @Test(arguments: kinds.map { [$0, $0] } + hybrids)
  func documentsAreSequencesOfTheirOwn(kinds: [String]) throws {
    let ids = TinyTokens.ids(70)
    let ends = [1, 5, 9, 64, 70]
    let numbers = ids.indices.map { place in Int32(ends.count { $0 <= place } % 2) }
    for device in try TestDevices.all() {
      let model = try TinyModel.make(TinyModel.hybrid(kinds), on: device)
      // Softmax attention tells documents by their numbers alone.
      let unique = ids.indices.map { place in Int32(ends.count { $0 <= place }) }
      let keepsTokens = model.configuration.cachedRows.contains { $0 != nil }
      let together = try model.logits([ids], documents: [keepsTokens ? unique : numbers])
      let apart = try zip([0] + ends, ends).flatMap { try model.logits([Array(ids[$0..<$1])]) }
      #expect(largestDifference(together, apart) < 1e-4, "\(kinds) on \(device.description.name)")
    }
  }

  /// What a layer keeps after 100 tokens is what it keeps after 300.
  @Test(arguments: MixerCatalogue.all.map { $0.name }.filter { $0 != "softmax" })
  func statesDoNotGrow(kind: String) throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let model = try TinyModel.make(TinyModel.hybrid([kind, kind]), on: device)
    let cache = DecodingCache(for: model.configuration, capacity: 2, on: device)
    #expect(!cache.isBounded && !model.configuration.keepsTokens)
    func shapes() -> [[Shape]] { (0..<2).map { cache.states(layer: $0).map(\.shape) } }
    var kept: [[Shape]] = []
    for count in [100, 199, 1] {
      _ = try model.logits([TinyTokens.ids(count)], cache: cache)
      cache.advance(by: count)
      if kept.isEmpty { kept = shapes() }
    }
    #expect(!kept[0].isEmpty && shapes() == kept)
  }

  @Test func generationFromStatesForgetsNothing() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let model = try TinyModel.make(TinyModel.hybrid(["gated_delta", "retention"]), on: device)
    let generator = Generator(model, options: SamplingOptions(temperature: 0), capacity: 4)
    let ids = TinyTokens.ids(30)
    try generator.read(ids)
    for _ in 0..<6 { try generator.read([generator.next()]) }
    #expect(generator.count == 36 && generator.forgotten == 0)
    let whole = Generator(model, options: SamplingOptions(temperature: 0), capacity: 64)
    try whole.read(Array(ids.prefix(11)))
    try whole.read(Array(ids.dropFirst(11)))
    for _ in 0..<6 { try whole.read([whole.next()]) }
    #expect(whole.next() == generator.next())
  }

  @Test(arguments: [TinyModel.mamba2, TinyModel.olmoHybrid])
  func modelsOfOthersAreWrittenAndReadAndRunFromTheirState(configuration: ModelConfiguration) throws {
    for device in try TestDevices.all() {
      let folder = try TemporaryFolder()
      let model = try TinyModel.make(configuration, on: device)
      try ModelFolder.write(model, to: folder.path)
      let loaded = try ModelFolder(folder.path).load(on: device)
      #expect(loaded.configuration.mixers == configuration.mixers)
      #expect(loaded.configuration.stateSpace == configuration.stateSpace)
      #expect(loaded.configuration.rope == configuration.rope)
      #expect(try loaded.logits([TinyTokens.ids(70)]) == model.logits([TinyTokens.ids(70)]))
      try expectEveryChunkingGivesTheLogits(loaded, configuration.architecture)
    }
  }

  /// Older libraries wrote Python's `Infinity` into config.json, which no strict reader takes.
  @Test func aMamba2ConfigurationWithInfinityLoads() throws {
    let (folder, again) = (try TemporaryFolder(), try TemporaryFolder())
    let device = try DeviceCatalog.openForOperations("cpu")
    var configuration = TinyModel.mamba2
    configuration.stateSpace?.stepRange = 0.01 ... .infinity
    let model = try TinyModel.make(configuration, on: device)
    try ModelFolder.write(model, to: folder.path)
    var json = try #require(try JSON.read(folder.path + "/config.json").objectValue)
    json["time_step_limit"] = "here"
    let text = JSON.object(json).serialized(.pretty)
    func write(_ limit: String) throws {
      let bytes = Array(text.replacing("\"here\"", with: limit).utf8)
      try AtomicFile.write(bytes, to: folder.path + "/config.json")
    }

    try write("[0.01, Infinity]")
    let loaded = try ModelFolder(folder.path).load(on: device)
    #expect(loaded.configuration.stateSpace == configuration.stateSpace)
    #expect(try loaded.logits([TinyTokens.ids(9)]) == model.logits([TinyTokens.ids(9)]))
    try ModelFolder.write(loaded, to: again.path)
    let written = try JSON.read(again.path + "/config.json")["time_step_limit"]
    #expect(written == [0.01, ["__float__": "Infinity"]])
    for limit in ["[0.0, NaN]", "[-Infinity, Infinity]", "[Infinity, 1.0]", "Infinity"] {
      try write(limit)
      let error = #expect(throws: ModelError.self) { try ModelFolder(folder.path) }
      #expect("\(try #require(error))".contains("time_step_limit"), "\(limit)")
    }
  }

  @Test func impossibleStateSpacesAreRefused() {
    var configuration = TinyModel.mamba2
    configuration.stateSpace?.groups = 0
    #expect(configuration.problems == ["6 heads of mamba2 are no multiple of its 0 groups"])
    configuration = TinyModel.hybrid(["softmax", "linear"])
    configuration.mixers.valueExpansion = 16
    configuration.headDimension = 128
    let problems = configuration.problems
    #expect(problems.contains("softmax takes heads of values at most 256 wide, not 2048"))
    #expect(problems.contains("linear takes heads of values at most 1023 wide, not 2048"))
    configuration = TinyModel.hybrid(["linear", "linear"])
    configuration.mixers.featureMap = .identity
    #expect(configuration.problems == ["identity features can be negative: they have no denominator"])
  }

  @Test func aWindowIsThatOfSlidingLayersAlone() {
    var settings = MixerSettings(layers: 3)
    #expect(settings.windows(of: 7) == [7, 7, 7])
    settings.kinds = ["gated_delta", MixerSettings.sliding, MixerSettings.attention]
    #expect(settings.windows(of: 7) == [nil, 7, nil])
    var configuration = TinyModel.hybrid(settings.kinds)
    #expect(configuration.problems.isEmpty)
    configuration.windows = [nil, nil, nil]
    #expect(configuration.problems == ["a sliding layer has no window"])
  }

  @Test func impossibleMixersAreRefused() {
    var configuration = TinyModel.hybrid(["mamba2", "mamba2"])
    configuration.mixers.convolution = 0
    #expect(configuration.problems == ["mamba2 has a convolution of 2 to 16 taps, not 0"])
    configuration = TinyModel.hybrid(["s4d", "s4d"])
    configuration.mixers.stateSize = 7
    #expect(configuration.problems == ["s4d has states in conjugate pairs, so an even size, not 7"])
    configuration = TinyModel.hybrid(["linear", "gated"])
    #expect(configuration.problems.contains { $0.hasPrefix("there is no mixer 'gated'") })
    configuration = TinyModel.hybrid(["rwkv7", "rwkv7"])
    configuration.architecture = "llama"
    #expect(configuration.problems == ["a llama has attention in every layer, not [\"rwkv7\"]"])
  }

  @Test func everyMixerCanBeConfiguredAndNothingElse() {
    let known = [MixerSettings.attention, MixerSettings.sliding] + Self.kinds
    #expect(Set(MixerName.allCases.map(\.rawValue)) == Set(known))
    #expect(MixerName.allCases.count == known.count)
    #expect(HedgehogName.allCases.map(\.rawValue) == HedgehogFeatures.Kind.allCases.map(\.rawValue))
    #expect(FeatureMapName.allCases.map(\.rawValue) == FeatureMap.allCases.map(\.rawValue))
    #expect(DecayName.allCases.map(\.rawValue) == LinearAttentionDecay.allCases.map(\.rawValue))
  }
}
