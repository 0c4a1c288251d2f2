import Configuration
import Terminal
import Testing

@Suite struct StrictnessTests {
  @Test func reportsAllProblemsInFileOrder() throws {
    let yaml = """
      stpes: 10
      optimiser:
        kind: adamw
      model:
        layers: four
        heads: 0
        dimension: 100
      optimizer:
        learning_rate: no
        kind: adamW
        lr: 1e-3
      data:
        path: [a, b]
      log: 3
      seed: "7"
      """
    #expect(
      try problems(yaml, ["model.vocab=3", "batch=4"])
        == """
        error: unknown key 'stpes' in run.yaml:1
          hint: did you mean 'steps'?
        error: unknown key 'optimiser' in run.yaml:2
          hint: did you mean 'optimizer'?
        error: model.layers in run.yaml:5 takes a whole number, not 'four'
        error: model.heads in run.yaml:6 is 0; allowed: 1 to 65536
        error: optimizer.learning_rate in run.yaml:9 takes a number, not 'no'
        error: optimizer.kind in run.yaml:10 is 'adamW', which it does not know
          hint: did you mean 'adamw'? names: adamw, sgd
        error: unknown key 'optimizer.lr' in run.yaml:11
          hint: keys here: kind, learning_rate, beta1, beta2, epsilon, weight_decay, decay_mode, momentum, nesterov, state, clip
        error: data.path in run.yaml:13 takes text, not a list
        error: 'log' in run.yaml:14 is a section and holds keys, not '3'
          hint: keys here: every, tensorboard
        error: seed in run.yaml:15 takes a whole number, not the quoted text "7"
          hint: leave out the quotes
        error: unknown key 'model.vocab' on the command line
          hint: keys here: architecture, dimension, layers, heads, kv_heads, head_dimension, hidden, vocabulary, context, tied, rope_theta, rotary, norm_epsilon, attention_bias, mlp_bias, window, initial_deviation, embedding_deviation
        error: 'batch' on the command line is a section, not a key
          hint: keys: batch.tokens, batch.micro, batch.recompute
        """)
  }

  @Test func valuesAreReadByTheSchemasTypes() throws {
    let yaml = """
      device: no
      steps: 1e3
      data: {separator: off, path: null, validation_fraction: .25}
      optimizer: {learning_rate: 1e-5, epsilon: 3e-4, weight_decay: 0, momentum: 0.0}
      evaluation: {prompt: "null", tokens: 1_000_000}
      model: {tied: FALSE, attention_bias: true}
      """
    let values = try resolve(yaml).values
    #expect(values.device == "no")
    #expect(values.steps == 1000)
    #expect(values.data.separator == "off")
    #expect(values.data.path == nil)
    #expect(values.data.validationFraction == 0.25)
    #expect(values.optimizer.learningRate == 1e-5)
    #expect(values.optimizer.epsilon == 3e-4)
    #expect(values.optimizer.weightDecay == 0)
    #expect(values.evaluation.prompt == "null")
    #expect(values.evaluation.tokens == 1_000_000)
    #expect(!values.model.tied && values.model.attentionBias)
  }

  @Test func argumentsAreReadByTheSameTypes() throws {
    let values = try resolve(
      "",
      [
        "device=null", "data.separator=", "data.path=a=b.txt", "minutes=1.5", "extends=tiny, long",
        "data.tokenizer=bpe:512", "model.vocabulary=0",
      ]
    ).values
    #expect(values.device == nil)
    #expect(values.data.separator == "")
    #expect(values.data.path == "a=b.txt")
    #expect(values.minutes == 1.5)
    #expect(values.extends == ["tiny", "long"])
    #expect(values.model.context == 8192)
    #expect(values.data.tokenizer == .bytePairs(vocabulary: 512))
  }

  @Test(arguments: [
    "nan", "inf", "-inf", "0x10", "1e", "e5", ".", "1__0", "_1", "1_", "1e400", "--1", "1,5", "1 ", "٣",
    "true", "1e-5f",
  ])
  func refusesWhatIsNoNumber(_ text: String) throws {
    #expect(
      try problems("", ["optimizer.learning_rate=\(text)"]).contains(
        "optimizer.learning_rate on the command line"))
  }

  @Test(arguments: ["1.5", "99999999999999999999", "1e19", "0x10", "-0.5", "1e-1"])
  func refusesWhatIsNoWholeNumber(_ text: String) throws {
    #expect(try problems("", ["seed=\(text)"]).contains("seed on the command line takes a whole number"))
  }

  @Test func rangesAreKept() throws {
    #expect(try problems("", ["optimizer.beta2=1"]).contains("is 1; allowed: 0 to below 1"))
    #expect(try problems("", ["optimizer.learning_rate=0"]).contains("is 0; allowed: above 0 to 1e30"))
    #expect(try problems("", ["seed=-1"]).contains("is -1; allowed: 0 to 9007199254740992"))
    #expect(try problems("", ["model.context=16777217"]).contains("allowed: 1 to 16777216"))
  }

  @Test(arguments: ["byte", "bpe:", "bpe:12", "bpe:x", "bpe:99999999999999999999", ""])
  func refusesOddTokenizers(_ text: String) throws {
    #expect(try problems("", ["data.tokenizer=\(text)"]).contains("data.tokenizer on the command line"))
  }

  @Test func pointsIntoOtherSections() throws {
    #expect(try problems("layers: 3").contains("did you mean 'model.layers'?"))
    #expect(try problems("model.layers: 3").contains("write 'model:' and below it, indented, 'layers:'"))
    #expect(try problems("", ["layers=3"]).contains("did you mean 'model.layers'?"))
    #expect(
      try problems("", ["optimizer.learnin_rate=3e-4"]).contains(
        "did you mean 'optimizer.learning_rate=3e-4'?"))
    #expect(try problems("preset: smal").contains("did you mean 'small'?"))
  }

  @Test func reportsBrokenYAMLWithItsLine() throws {
    #expect(try problems("steps: 3\nmodel: {layers: 2\nseed: 4\n").hasPrefix("error: run.yaml:"))
    #expect(try problems("steps: 3\nseed: 1\nsteps: 4").hasPrefix("error: 'steps' in run.yaml:"))
    #expect(try problems("- a\n- b").contains("run.yaml holds a list, not keys"))
    #expect(try problems("just text").contains("run.yaml holds 'just text', not keys"))
    #expect(try problems("a: *x").contains("undefined alias"))
    #expect(try problems("? [1, 2]\n: 3").contains("a list as a key in run.yaml:1"))
    #expect(try problems("--- a\n--- b\n").hasPrefix("error: run.yaml:"))
    #expect(try problems("steps: 3\n\0").hasPrefix("error: run.yaml:"))
  }

  @Test func emptyFilesAndSectionsSetNothing() throws {
    for yaml in ["", "\n# nothing\n", "null", "model:\noptimizer: {}\n", "---\n", "{}"] {
      #expect(try resolve(yaml).values == RunConfiguration())
    }
  }

  @Test func survivesDeepAndHugeTexts() throws {
    let deep = String(repeating: "[", count: 100_000)
    #expect(try problems("steps: \(deep)").hasPrefix("error: run.yaml"))
    #expect(try problems(String(repeating: "- ", count: 100_000)).hasPrefix("error: run.yaml"))
    let nested = String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
    #expect(try problems("steps: \(nested)").contains("steps in run.yaml:1 takes a whole number, not a list"))
    #expect(
      try problems("# " + String(repeating: "x", count: 1 << 20)).contains("too many for a configuration"))
    #expect(try problems("steps: " + String(repeating: "9", count: 100_000)).count < 300)
  }
}
