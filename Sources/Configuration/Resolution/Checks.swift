import Terminal

/// A contradiction between keys.
struct Contradiction {
  /// The keys involved; it is skipped when one of them already has a problem.
  var keys: [String]
  var report: ErrorReport

  init(_ keys: [String], _ message: String, details: [String] = [], hints: [String] = []) {
    self.keys = keys
    report = ErrorReport(message, details: details, hints: hints)
  }
}

/// Checks that concern more than one key.
struct Checks {
  let configuration: RunConfiguration
  /// Where every key's value comes from.
  let origins: [String: Origin]
  var found: [Contradiction] = []

  init(_ configuration: RunConfiguration, origins: [String: Origin]) {
    self.configuration = configuration
    self.origins = origins
  }

  /// Every contradiction, in the order of the schema.
  static func contradictions(in configuration: RunConfiguration, origins: [String: Origin]) -> [Contradiction]
  {
    var checks = Checks(configuration, origins: origins)
    checks.checkHeads()
    checks.checkArchitecture()
    checks.checkMixers()
    checks.checkPrecision()
    checks.checkAdapter()
    if configuration.data.task == .text {
      checks.checkVocabulary()
      checks.checkValidation()
    }
    checks.checkTask()
    checks.checkBatch()
    checks.checkOptimizer()
    checks.checkSchedule()
    return checks.found
  }

  /// - Parameter hint: What to do instead.
  mutating func add(_ keys: [String], _ message: String, _ hint: String) {
    found.append(Contradiction(keys, message, hints: [hint]))
  }

  private mutating func checkHeads() {
    let model = configuration.model
    let isDerived = !isSet("model.head_dimension")
    if isDerived, !model.dimension.isMultiple(of: model.heads) {
      let down = model.dimension / model.heads * model.heads
      let nearest = [down, down + model.heads].filter { $0 > 0 }.map { "model.dimension=\($0)" }
      found.append(
        Contradiction(
          ["model.dimension", "model.heads"],
          "model.dimension \(model.dimension) is not a multiple of model.heads \(model.heads)",
          hints: ["nearest: " + nearest.joined(separator: ", ") + "; or set model.head_dimension"]))
    } else if model.architecture != .gpt2, model.rotary, !model.headDimension.isMultiple(of: 2) {
      let source = isDerived ? " (dimension \(model.dimension) / heads \(model.heads))" : ""
      found.append(
        Contradiction(
          ["model.head_dimension"] + (isDerived ? ["model.dimension", "model.heads"] : []),
          "model.head_dimension \(model.headDimension)\(source) is odd; rotary positions turn pairs",
          hints: [
            "nearest: model.head_dimension=\(max(2, model.headDimension - 1)), \(model.headDimension + 1)"
          ]))
    }
    if !model.heads.isMultiple(of: model.kvHeads) {
      let divisors = (1...model.heads).filter { model.heads.isMultiple(of: $0) }
      let near = divisors.sorted { abs($0 - model.kvHeads) < abs($1 - model.kvHeads) }.prefix(2).sorted()
      found.append(
        Contradiction(
          ["model.heads", "model.kv_heads"],
          "model.heads \(model.heads) is not a multiple of model.kv_heads \(model.kvHeads)",
          hints: ["nearest: " + near.map { "model.kv_heads=\($0)" }.joined(separator: ", ")]))
    }
  }

  private mutating func checkArchitecture() {
    let model = configuration.model
    let hasWindow = model.window > 0 && model.window < model.context
    switch model.architecture {
    case .llama:
      // With a window a llama is what other programs call mistral, and that has no biases.
      let mixers = Set(configuration.mixer.names(layers: model.layers))
      guard hasWindow, mixers == [MixerName.attention.rawValue], model.rotary else { return }
      for (key, value) in [
        ("model.attention_bias", model.attentionBias), ("model.mlp_bias", model.mlpBias),
      ] where value {
        refuseWindow([key], "\(key) is true, but a llama with a window has no biases", "leave out \(key)")
      }
    case .qwen3:
      if model.mlpBias { refuseBias("model.mlp_bias", value: true, noun: "qwen3 has no MLP biases") }
    case .gpt2:
      if model.embeddingDeviation != model.initialDeviation {
        add(
          ["model.architecture", "model.embedding_deviation"],
          "model.embedding_deviation has no effect on gpt2",
          "leave it out, or model.architecture=llama")
      }
      if hasWindow {
        refuseWindow(
          [], "model.window is \(model.window), but gpt2 has no windows", "model.architecture=llama")
      }
      if !model.attentionBias {
        refuseBias("model.attention_bias", value: false, noun: "gpt2 always has biases")
      }
      if !model.mlpBias { refuseBias("model.mlp_bias", value: false, noun: "gpt2 always has biases") }
      if model.kvHeads != model.heads {
        found.append(
          Contradiction(
            ["model.architecture", "model.heads", "model.kv_heads"],
            "model.kv_heads \(model.kvHeads) differs from model.heads \(model.heads); gpt2 has no grouped queries",
            hints: ["leave out model.kv_heads, or model.architecture=llama"]))
      }
      if isSet("model.head_dimension"), model.headDimension * model.heads != model.dimension {
        found.append(
          Contradiction(
            ["model.architecture", "model.dimension", "model.heads", "model.head_dimension"],
            "model.heads \(model.heads) x model.head_dimension \(model.headDimension) is not model.dimension"
              + " \(model.dimension), as gpt2 needs",
            hints: ["leave out model.head_dimension, or model.architecture=llama"]))
      }
    }
  }

  private mutating func refuseWindow(_ keys: [String], _ message: String, _ hint: String) {
    found.append(
      Contradiction(
        ["model.architecture", "model.window", "model.context"] + keys, message,
        hints: ["leave out model.window, or \(hint)"]))
  }

  private mutating func refuseBias(_ key: String, value: Bool, noun: String) {
    found.append(
      Contradiction(
        ["model.architecture", key], "\(key) is \(value), but \(noun)", hints: ["leave out \(key)"]))
  }

  private mutating func checkVocabulary() {
    let vocabulary = configuration.model.vocabulary
    let data = configuration.data
    let extra = data.endOfText ? 1 : 0
    let keys = ["model.vocabulary", "data.tokenizer", "data.end_of_text"]
    let needed: Int
    switch data.tokenizer {
    case .bytes: needed = 256 + extra
    case .bytePairs(let count): needed = count
    case .file: return
    }
    guard vocabulary > 0, vocabulary < needed else { return }
    found.append(
      Contradiction(
        keys, "model.vocabulary \(vocabulary) is smaller than the tokenizer's \(needed) tokens",
        hints: ["model.vocabulary=\(needed), or 0 to take the tokenizer's"]))
  }

  private mutating func checkValidation() {
    let data = configuration.data
    guard data.validation == nil, data.validationFraction == 0, configuration.evaluation.every > 0 else {
      return
    }
    found.append(
      Contradiction(
        ["data.validation", "data.validation_fraction", "evaluation.every"],
        "evaluation.every is \(configuration.evaluation.every), but data.validation_fraction 0 leaves no text for it",
        hints: ["evaluation.every=0, or data.validation=FILE"]))
  }

  private mutating func checkBatch() {
    let batch = configuration.batch
    let context = configuration.model.context
    let unit = batch.micro * context
    guard unit > 0, !batch.tokens.isMultiple(of: unit) else { return }
    let down = batch.tokens / unit * unit
    var hints = [
      "nearest: " + [down, down + unit].filter { $0 > 0 }.map(String.init).joined(separator: ", ")
    ]
    if batch.tokens.isMultiple(of: context) {
      let sequences = batch.tokens / context
      if let micro = (1...min(batch.micro, sequences)).last(where: { sequences.isMultiple(of: $0) }) {
        hints.append("or batch.micro=\(micro)")
      }
    }
    found.append(
      Contradiction(
        ["batch.tokens", "batch.micro", "model.context"],
        "batch.tokens \(batch.tokens) is not a multiple of micro \(batch.micro) x context \(context) = \(unit)",
        hints: hints))
  }

  private mutating func checkOptimizer() {
    let optimizer = configuration.optimizer
    if optimizer.kind == .sgd, optimizer.momentum == 0, optimizer.state != .fp32 {
      found.append(
        Contradiction(
          ["optimizer.state", "optimizer.momentum"],
          "optimizer.state \(optimizer.state.rawValue) has no effect: sgd without momentum has no state",
          hints: ["optimizer.momentum=0.9, or leave out optimizer.state"]))
    }
    guard optimizer.kind == .sgd, optimizer.nesterov, optimizer.momentum == 0 else { return }
    found.append(
      Contradiction(
        ["optimizer.nesterov", "optimizer.momentum"], "optimizer.nesterov needs momentum, but momentum is 0",
        hints: ["optimizer.momentum=0.9, or optimizer.nesterov=false"]))
  }

  private mutating func checkSchedule() {
    let schedule = configuration.schedule
    let steps = configuration.steps
    if schedule.warmup >= steps {
      found.append(
        Contradiction(
          ["schedule.warmup", "steps"], "schedule.warmup \(schedule.warmup) leaves nothing of \(steps) steps",
          hints: ["schedule.warmup=\(steps / 10), or steps=\(schedule.warmup * 10)"]))
    }
    let learningRate = configuration.optimizer.learningRate
    if schedule.minimum > learningRate {
      found.append(
        Contradiction(
          ["schedule.minimum", "optimizer.learning_rate"],
          "schedule.minimum \(ConfigurationValue.plain(schedule.minimum)) is above optimizer.learning_rate "
            + ConfigurationValue.plain(learningRate),
          hints: ["schedule.minimum=\(ConfigurationValue.plain(Derivation.tenth(of: learningRate)))"]))
    }
    checkDecay(schedule, steps: steps)
  }

  private mutating func checkDecay(_ schedule: ScheduleSettings, steps: Int) {
    let keys = ["schedule.kind", "schedule.decay_steps", "schedule.warmup", "steps"]
    switch schedule.kind {
    case .constant, .inverseSquareRoot: return
    case .cosine, .linear, .wsd:
      if schedule.decaySteps == 0 {
        found.append(
          Contradiction(
            keys, "schedule.decay_steps is 0, but schedule.kind \(schedule.kind.rawValue) decays",
            hints: ["leave out schedule.decay_steps, or schedule.kind=constant"]))
      }
    }
    if schedule.kind == .wsd, schedule.warmup < steps, schedule.decaySteps > steps - schedule.warmup {
      found.append(
        Contradiction(
          keys,
          "schedule.decay_steps \(schedule.decaySteps) and warmup \(schedule.warmup) together exceed \(steps) steps",
          hints: ["schedule.decay_steps=\(steps - schedule.warmup) at most"]))
    }
  }

  func isSet(_ key: String) -> Bool {
    switch origins[key] {
    case nil, .builtIn, .derived: false
    case .preset, .file, .environment, .commandLine, .flag: true
    }
  }
}

/// Values that somebody wrote and nothing reads.
enum IneffectiveKeys {
  static func warnings(
    for configuration: RunConfiguration, origins: [String: Origin]
  ) -> [ConfigurationProblem] {
    var result: [ConfigurationProblem] = []
    func note(_ names: [String], when condition: Bool, _ reason: String) {
      guard condition else { return }
      for name in names {
        guard let origin = origins[name], origin.isPersonal else { continue }
        result.append(
          ConfigurationProblem(
            report: ErrorReport("\(name) \(origin.place) has no effect: \(reason)"), origin: origin))
      }
    }
    let kind = configuration.optimizer.kind
    let schedule = configuration.schedule.kind
    let model = configuration.model
    note(["model.rope_theta"], when: model.architecture == .gpt2, "gpt2 has learned positions")
    note(
      ["model.window"], when: model.window >= model.context, "the window is no shorter than the context")
    note(
      ["data.validation_fraction"], when: configuration.data.validation != nil,
      "data.validation names a text of its own")
    note(["optimizer.momentum", "optimizer.nesterov"], when: kind == .adamw, "optimizer.kind is adamw")
    note(
      ["optimizer.beta1", "optimizer.beta2", "optimizer.epsilon", "optimizer.decay_mode"], when: kind == .sgd,
      "optimizer.kind is sgd")
    note(["schedule.decay_shape"], when: schedule != .wsd, "schedule.kind is \(schedule.rawValue)")
    note(
      ["schedule.minimum", "schedule.decay_steps"],
      when: schedule == .constant || schedule == .inverseSquareRoot,
      "schedule.kind is \(schedule.rawValue)")
    return result
  }
}
