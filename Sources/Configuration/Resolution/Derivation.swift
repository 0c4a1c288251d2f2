/// The rules for values that follow from others while nobody sets them.
enum Derivation {
  /// Fills in every derived value that is not pinned.
  ///
  /// - Parameter pinned: Names of the keys that were set.
  static func apply(to configuration: inout RunConfiguration, pinned: Set<String>) {
    deriveModel(&configuration.model, pinned: pinned)
    deriveMixer(&configuration, pinned: pinned)
    deriveBatch(&configuration, pinned: pinned)
    deriveSchedule(&configuration, pinned: pinned)
  }

  private static func deriveModel(_ model: inout ModelSettings, pinned: Set<String>) {
    let isGPT2 = model.architecture == .gpt2
    if !pinned.contains("model.kv_heads") { model.kvHeads = model.heads }
    if !pinned.contains("model.head_dimension") {
      model.headDimension = max(1, model.dimension / max(1, model.heads))
    }
    if !pinned.contains("model.hidden") {
      // 8/3 of the width gives three matrices the size of two with four times the width; 16 suits vector units.
      model.hidden = isGPT2 ? 4 * model.dimension : (8 * model.dimension + 47) / 48 * 16
    }
    if !pinned.contains("model.embedding_deviation") { model.embeddingDeviation = model.initialDeviation }
    if !pinned.contains("model.attention_bias") { model.attentionBias = isGPT2 }
    if !pinned.contains("model.mlp_bias") { model.mlpBias = isGPT2 }
  }

  private static func deriveMixer(_ configuration: inout RunConfiguration, pinned: Set<String>) {
    let used = Set(configuration.mixer.names(layers: configuration.model.layers))
    if !pinned.contains("mixer.decay"), used.contains(MixerName.lightning.rawValue),
      !used.contains(MixerName.retention.rawValue)
    {
      configuration.mixer.decay = .lightningPaper
    }
    guard !pinned.contains("mixer.gate_bias") else { return }
    let gated = [MixerName.scalarGate, .gatedDelta].map(\.rawValue)
    let isSigmoid = configuration.mixer.gate == .sigmoid && !used.isDisjoint(with: gated)
    configuration.mixer.gateBias = isSigmoid ? 4 : 0
  }

  /// Takes back what a preset says about mixers that somebody has replaced, so that a preset serves for all of them.
  static func dropUnread(_ configuration: inout RunConfiguration, _ origins: inout [String: Origin]) {
    let usual = RunConfiguration()
    func drop(_ name: String) {
      guard let key = ConfigurationSchema.key(named: name), let origin = origins[name], !origin.isPersonal
      else { return }
      _ = key.write(&configuration, key.read(usual))
      origins[name] = nil
    }
    if !configuration.mixer.pattern.isEmpty { drop("mixer.kind") }
    let read = configuration.mixer.keys(readBy: configuration.mixer.names(layers: configuration.model.layers))
    for name in MixerChoices.settingKeys where !read.contains(name) { drop(name) }
  }

  private static func deriveBatch(_ configuration: inout RunConfiguration, pinned: Set<String>) {
    let context = max(1, configuration.model.context)
    let hasMicro = pinned.contains("batch.micro")
    if !pinned.contains("batch.tokens") {
      configuration.batch.tokens = (hasMicro ? configuration.batch.micro : 8) * context
    }
    if !hasMicro {
      let (sequences, rest) = configuration.batch.tokens.quotientAndRemainder(dividingBy: context)
      let divisor = (1...8).last { sequences.isMultiple(of: $0) }
      configuration.batch.micro = rest == 0 && sequences > 0 ? divisor ?? 1 : 8
    }
  }

  /// A tenth in decimal: 3e-4 gives 3e-5, where the nearest quotient would be 2.9999999999999997e-5.
  static func tenth(of value: Double) -> Double {
    let parts = "\(value)".split(separator: "e")
    guard let mantissa = parts.first else { return value / 10 }
    let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    return Double("\(mantissa)e\(exponent - 1)") ?? value / 10
  }

  private static func deriveSchedule(_ configuration: inout RunConfiguration, pinned: Set<String>) {
    let steps = configuration.steps
    if !pinned.contains("schedule.warmup") { configuration.schedule.warmup = min(100, steps / 10) }
    if !pinned.contains("schedule.minimum") {
      configuration.schedule.minimum = tenth(of: configuration.optimizer.learningRate)
    }
    if !pinned.contains("schedule.decay_steps") {
      let afterWarmup = max(1, steps - configuration.schedule.warmup)
      switch configuration.schedule.kind {
      case .cosine, .linear: configuration.schedule.decaySteps = afterWarmup
      case .wsd: configuration.schedule.decaySteps = min(afterWarmup, max(1, steps / 5))
      case .constant, .inverseSquareRoot: configuration.schedule.decaySteps = 0
      }
    }
  }
}
