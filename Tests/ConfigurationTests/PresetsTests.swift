import Configuration
import Testing

@Suite struct PresetsTests {
  @Test(arguments: Presets.names)
  func everyPresetIsValid(_ name: String) throws {
    let resolved = try resolve("preset: \(name)")
    #expect(resolved.warnings.isEmpty)
    #expect(try #require(Presets.summary(of: name)).hasSuffix("."))
    #expect(resolved.values.model.architecture == .llama)
    #expect(resolved.values.microBatchesPerStep == 1)
  }

  @Test(arguments: [
    // dim, layers, heads, kv_heads, ffn, vocab, time, batch of the PyTorch peer
    ("tiny", [256, 4, 4, 4, 688, 256, 256, 8]), ("small", [384, 6, 6, 6, 1024, 4096, 512, 4]),
    ("base", [512, 8, 8, 4, 1376, 8192, 512, 4]), ("gpt2", [768, 12, 12, 12, 2048, 50_257, 512, 1]),
    ("long", [256, 4, 4, 4, 688, 256, 8192, 1]),
  ])
  func benchmarkPresetsHaveThePeersShapes(_ name: String, _ shape: [Int]) throws {
    let values = try resolve("preset: \(name)").values
    let model = values.model
    #expect(
      [
        model.dimension, model.layers, model.heads, model.kvHeads, model.hidden, model.vocabulary,
        model.context,
        values.batch.micro,
      ] == shape)
    #expect(model.tied && !model.attentionBias && !model.mlpBias)
    #expect(values.batch.tokens == model.context * values.batch.micro)
    // The widths pinned are those the rule would give.
    #expect(try resolve("preset: \(name)", ["model.hidden=null"]).values.model.hidden == model.hidden)
  }

  @Test func shakespeareIsTheSmallRecipe() throws {
    let values = try resolve("preset: shakespeare").values
    #expect(values.steps == 2000)
    #expect(values.model.context == 64)
    #expect(values.batch.tokens == 768)
    #expect(values.batch.micro == 12)
    #expect(values.schedule.warmup == 100)
    #expect(values.schedule.minimum == 2e-4)
  }

  /// The setting in which the mixers were compared.
  @Test func mqarIsTheCalibratedRecall() throws {
    let values = try resolve("preset: mqar").values
    #expect(values.data.task == .mqar && values.data.name == "mqar")
    #expect([values.task.pairs, values.task.heldOut] == [8, 128])
    let model = values.model
    #expect([model.context, model.vocabulary, model.dimension, model.layers] == [64, 512, 64, 2])
    #expect([model.heads, model.headDimension, model.hidden] == [2, 32, 128])
    #expect(!model.tied && model.initialDeviation == 0.07)
    #expect(values.batch.tokens / model.context == 32 && values.schedule.minimum == 0)
    #expect(values.optimizer.learningRate == 3e-3 && values.schedule.warmup == 100)
    #expect(values.optimizer.weightDecay == 0.1 && values.optimizer.clip == 1)
  }

  @Test func firstRunHasAMillionParameters() throws {
    let values = try resolve("preset: first-run").values
    #expect(values.data.source == .embedded)
    #expect(values.model.parameterCount(tokenizerVocabulary: 256) == 1_037_696)
    #expect(values.totalTokens == 921_600)
  }

  @Test func countsParametersOfGPT2() {
    var model = ModelSettings()
    model.architecture = .gpt2
    model.dimension = 768
    model.layers = 12
    model.heads = 12
    model.kvHeads = 12
    model.hidden = 3072
    model.vocabulary = 50_257
    model.context = 1024
    model.attentionBias = true
    model.mlpBias = true
    // The well-known count of the smallest GPT-2.
    #expect(model.parameterCount(tokenizerVocabulary: 0) == 124_439_808)
  }
}
