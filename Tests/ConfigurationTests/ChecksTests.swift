import Configuration
import Terminal
import Testing

@Suite struct ChecksTests {
  @Test func batchMustBeAMultiple() throws {
    let yaml = "model: {context: 512}\nbatch:\n  tokens: 100000\n"
    #expect(
      try problems(yaml) == """
        error: batch.tokens 100000 is not a multiple of micro 8 x context 512 = 4096
          batch.tokens: run.yaml:3
          batch.micro: derived: largest divisor of tokens / context up to 8
          model.context: run.yaml:1
          hint: nearest: 98304, 102400
        """)
    #expect(try problems("batch: {tokens: 768, micro: 8}").contains("or batch.micro=3"))
  }

  @Test(arguments: [
    (["model.dimension=100", "model.heads=3"], "nearest: model.dimension=99, model.dimension=102"),
    (["model.dimension=2", "model.heads=3"], "nearest: model.dimension=3;"),
    (
      ["model.heads=12", "model.dimension=768", "model.kv_heads=5"],
      "nearest: model.kv_heads=4, model.kv_heads=6"
    ),
    (["model.head_dimension=33"], "nearest: model.head_dimension=32, 34"),
    (["model.dimension=12"], "odd; rotary"),
    (["schedule.warmup=1000"], "schedule.warmup 1000 leaves nothing of 1000 steps"),
    (["schedule.minimum=1"], "schedule.minimum=3e-5"),
    (["schedule.kind=wsd", "schedule.warmup=500", "schedule.decay_steps=501"], "together exceed 1000 steps"),
    (["schedule.decay_steps=0"], "schedule.kind cosine decays"),
    (["model.vocabulary=255"], "smaller than the tokenizer's 256 tokens"),
    (["model.vocabulary=256", "data.end_of_text=true"], "257 tokens"),
    (["model.vocabulary=1000", "data.tokenizer=bpe:2000"], "2000 tokens"),
    (["optimizer.kind=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"], "needs momentum"),
    (["data.validation_fraction=0"], "evaluation.every=0, or data.validation=FILE"),
    (["model.architecture=gpt2", "model.kv_heads=2"], "gpt2 has no grouped queries"),
    (["model.architecture=gpt2", "model.mlp_bias=false"], "gpt2 always has biases"),
    (["model.architecture=gpt2", "model.head_dimension=32"], "as gpt2 needs"),
    (["model.architecture=qwen3", "model.mlp_bias=true"], "qwen3 has no MLP biases"),
    (["model.context=16777216", "batch.micro=1048576"], "batch.tokens (derived"),
    (["model.architecture=gpt2", "model.window=32"], "gpt2 has no windows"),
    (["model.window=32", "model.attention_bias=true"], "a llama with a window has no biases"),
    (["model.window=32", "model.mlp_bias=true"], "leave out model.mlp_bias"),
    (["model.rope_theta=0.5"], "model.rope_theta"),
    (["data.task=mqar"], "model.vocabulary is 0"),
    (["data.task=mqar", "model.vocabulary=15"], "model.vocabulary=16 at least"),
    (["preset=mqar", "task.pairs=17"], "model.context=68 at least, or task.pairs=16 at most"),
    (["preset=mqar", "data.path=a.txt"], "leave out data.path, or data.task=text"),
    (["preset=mqar", "data.tokenizer=bpe:400"], "data.tokenizer on the command line has no effect"),
    (["preset=mqar", "evaluation.sample_every=5"], "are no text"),
    (["task.pairs=9"], "leave out task.pairs, or data.task=mqar"),
    (["task.held_out=9"], "task.held_out on the command line has no effect"),
    (["precision.recipe=mxfp5"], "did you mean"),
    (["precision.fprop_input=mxfp5"], "known: mxfp8_e4m3"),
    (["precision.recipe=mxfp4", "precision.choices=[rule=evn]"], "rule=floor, ceil, rceil, even"),
    (["precision.recipe=mxfp4", "init=a", "adapter.rank=4", "adapter.base=nf4"], "not rounded again"),
    (["precision.weights=bf16", "init=a", "adapter.rank=4"], "adapter.base stores the weights below"),
    (["optimizer.kind=sgd", "optimizer.momentum=0", "optimizer.state=int8"], "sgd without momentum"),
    (["precision.choices=[block=16]"], "choose a recipe"),
    (["precision.exclude=down_proj"], "precision.exclude has no effect"),
    (["precision.recipe=mxfp4", "precision.oscillation_every=5"], "weights have no learned or statistical"),
    (["precision.recipe=int4", "precision.anneal_steps=5"], "precision.anneal_steps has no effect"),
    (["precision.recipe=qat-int2", "precision.anneal_radius=0.01"], "precision.anneal_steps is 0"),
    (["precision.recipe=qat-int2", "precision.anneal_steps=5", "precision.full_steps=0.1"], "leave one of"),
    (["precision.recipe=qat-int4", "init=a", "adapter.rank=4"], "scale=lsq trains scales"),
    (["precision.recipe=qat-int2", "steps=9", "precision.anneal_steps=9"], "leaves none of 9 steps"),
    (
      ["precision.fprop_weight=mxfp4 estimator=clipped", "init=a", "adapter.rank=4"],
      "leave the weights without gradients"
    ),
    (["precision.recipe=qat-int4", "precision.dgrad_weight=int4 scale=lsq"], "dgrad_weight=forward"),
    (["precision.fprop_input=int8 block=row scale=lsq"], "int8 block=tensor scale=lsq"),
    (["precision.recipe=mxfp4", "precision.full_last=4", "model.layers=4"], "leave none of 4 layers"),
    (["precision.recipe=mxfp4", "precision.fprop_input=mxfp4 hadamard=32"], "give both the same hadamard"),
    (
      [
        "precision.fprop_input=mxfp4 hadamard=32", "precision.fprop_weight=mxfp4 hadamard=32",
        "precision.dgrad_weight=forward",
      ], "transformed along another sum"
    ),
  ])
  func contradictionsNameTheWayOut(_ assignments: [String], _ expected: String) throws {
    let text = try problems("", assignments)
    #expect(text.contains(expected))
    #expect(text.split(separator: "\n").count { $0.hasPrefix("error:") } == 1)
  }

  @Test func brokenKeysCauseNoFollowUps() throws {
    let text = try problems("model: {heads: many, dimension: 257}")
    #expect(text == "error: model.heads in run.yaml:1 takes a whole number, not 'many'")
  }

  @Test func contradictionsStandInFileOrder() throws {
    let text = try problems("schedule: {warmup: 5000}\nnonsense_key: 1\nmodel: {kv_heads: 3}\n")
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("error") }.map { $0.prefix(22) }
    #expect(
      lines
        == ["error: schedule.warmup", "error: unknown key 'non", "error: model.heads 4 i"].map {
          $0.prefix(22)
        })
  }

  @Test func warnsOfKeysWithoutEffect() throws {
    let resolved = try resolve(
      "preset: shakespeare\noptimizer: {momentum: 0.5}", ["schedule.decay_shape=cosine"])
    #expect(
      resolved.warnings.map(\.report.message) == [
        "optimizer.momentum in run.yaml:2 has no effect: optimizer.kind is adamw",
        "schedule.decay_shape on the command line has no effect: schedule.kind is cosine",
      ])
    #expect(
      try resolve("", ["optimizer.kind=sgd", "optimizer.decay_mode=independent"]).warnings.map(
        \.report.message) == [
          "optimizer.decay_mode on the command line has no effect: optimizer.kind is sgd"
        ])
    // A preset's keys are nobody's mistake.
    #expect(try resolve("preset: shakespeare", ["optimizer.kind=sgd"]).warnings.isEmpty)
  }

  @Test(arguments: [
    (["mixer.feature_map=relu", "mixer.kind=delta"], "no layer has linear or norm_attention"),
    (["mixer.gate_bias=2", "mixer.kind=gated_delta"], "with mixer.gate=sigmoid"),
    (["mixer.output_gate=false", "mixer.kind=rwkv7"], "mixer.output_gate has no effect"),
    (["mixer.state_size=8", "mixer.kind=delta"], "no layer has mamba2 or s4d"),
    (["mixer.block=8"], "no layer has diag_attention"),
    (["model.window=32", "mixer.kind=delta"], "no layer has attention or sliding or softmax"),
    (["model.kv_heads=2", "mixer.kind=softmax"], "model.kv_heads has no effect"),
    (["mixer.pattern=[delta, sliding]"], "mixer.pattern has sliding layers, but model.window is 0"),
    (["mixer.kind=delta", "mixer.pattern=[linear]"], "leave out mixer.kind"),
    (["mixer.pattern=[linaer]"], "there is no mixer 'linaer'"),
    (["model.architecture=qwen3", "mixer.kind=flow"], "qwen3 has attention in every layer"),
  ])
  func mixersReadTheirKeys(_ assignments: [String], _ expected: String) throws {
    let text = try problems("", assignments)
    #expect(text.contains(expected))
    #expect(text.split(separator: "\n").count { $0.hasPrefix("error:") } == 1)
  }

  /// The calibrated setting holds for all mixers: what one of them does not read is no mistake.
  @Test(arguments: MixerName.allCases.filter { $0 != .sliding })
  func theRecallPresetServesEveryMixer(_ mixer: MixerName) throws {
    let resolved = try resolve("preset: mqar", ["mixer.kind=\(mixer.rawValue)"])
    let values = resolved.values
    #expect(values.mixer.kind == mixer)
    let isScalar = mixer == .scalarGate || mixer == .gatedDelta
    #expect(values.mixer.gate == (isScalar ? .sigmoid : .step))
    #expect(values.mixer.gateBias == (isScalar || mixer == .gatedLinear ? 4 : 0))
    let read = values.mixer.keys(readBy: mixer)
    #expect(values.mixer.outputGate == !read.contains("mixer.output_gate"))
    // A whole file of it says nothing that nobody reads.
    #expect(try values.changes(to: resolve(resolved.yaml()).values).isEmpty)
  }

  @Test func aPatternReplacesAPresetsMixer() throws {
    let values = try resolve(
      "preset: mqar", ["mixer.pattern=[gated_delta, sliding, attention]", "model.window=16"]
    ).values
    #expect(values.mixer.kind == .attention)
    #expect(values.mixer.names(layers: 4) == ["gated_delta", "sliding", "attention", "gated_delta"])
    #expect(try resolve("preset: base", ["mixer.kind=delta"]).values.model.kvHeads == 8)
    #expect(try resolve("", ["mixer.kind=gated_delta", "mixer.gate=sigmoid"]).values.mixer.gateBias == 4)
  }
}
