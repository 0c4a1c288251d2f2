import Configuration
import Engine

/// The engine's options of a run, from the configuration.
extension TrainingOptions {
  /// The largest number of updates, where only time limits a run.
  static let unlimitedSteps = 1_000_000_000

  /// - Parameter stepsAreLimit: False when nobody asked for a number of steps, only for time.
  init(_ values: RunConfiguration, stepsAreLimit: Bool) {
    let context = values.model.context
    let isTimed = values.minutes != nil && !stepsAreLimit
    self.init(
      steps: isTimed ? Self.unlimitedSteps : values.steps, seconds: values.minutes.map { $0 * 60 },
      seed: UInt64(values.seed), contextLength: context, sequencesPerStep: values.batch.tokens / context,
      microBatch: values.batch.micro, recomputesLayers: values.batch.recompute,
      schedule: LearningRateSchedule(values), clip: values.optimizer.clip,
      loss: LossOptions(
        labelSmoothing: values.loss.labelSmoothing, zLoss: values.loss.zLoss, softcap: values.loss.softcap),
      evaluationInterval: values.evaluation.every, evaluationTokens: values.evaluation.tokens,
      sampleInterval: values.evaluation.sampleEvery, sampleTokens: values.evaluation.sampleTokens,
      samplePrompt: values.evaluation.prompt, checkpointInterval: values.checkpoint.every,
      keptCheckpoints: values.checkpoint.keep, roundingInterval: values.precision.measureEvery,
      optimizerState: values.optimizer.state == .int8 ? .int8 : .fp32)
    oscillationInterval = values.precision.oscillationEvery
    annealingSteps = values.precision.annealSteps
    annealingRadius = values.precision.annealRadius
  }
}

extension LearningRateSchedule {
  init(_ values: RunConfiguration) {
    let schedule = values.schedule
    let kind: Kind
    // Where the fall ends; afterwards the rate stays at its minimum.
    var end = values.steps
    switch schedule.kind {
    case .cosine: (kind, end) = (.cosine, schedule.warmup + schedule.decaySteps)
    case .linear: (kind, end) = (.linear, schedule.warmup + schedule.decaySteps)
    case .wsd: kind = .wsd
    case .constant: kind = .constant
    case .inverseSquareRoot: kind = .inverseSquareRoot
    }
    let shape: LearningRateSchedule.DecayShape
    switch schedule.decayShape {
    case .linear: shape = .linear
    case .cosine: shape = .cosine
    case .oneMinusSquareRoot: shape = .squareRoot
    }
    self.init(
      kind: kind, peak: values.optimizer.learningRate, minimum: schedule.minimum, totalSteps: end,
      warmupSteps: schedule.warmup, decaySteps: schedule.decaySteps, decayShape: shape)
  }
}

/// The optimizer that a configuration names.
enum OptimizerRule {
  static func rule(_ settings: OptimizerSettings) -> any UpdateRule {
    switch settings.kind {
    case .adamw:
      let mode: AdamW.DecayMode
      switch settings.decayMode {
      case .scaledByLearningRate: mode = .scaledByLearningRate
      case .independent: mode = .independent
      }
      return AdamW(
        beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
        weightDecay: settings.weightDecay, decayMode: mode)
    case .sgd:
      return SGD(
        momentum: settings.momentum, nesterov: settings.nesterov, weightDecay: settings.weightDecay)
    }
  }
}

extension TrainingOptions {
  /// Takes the number of updates that an earlier call chose from the time it was given; see ``Trainer``.
  mutating func takeChosenSteps(_ total: Int) {
    guard total != steps, total != Self.unlimitedSteps else { return }
    take(chosenSteps: total)
  }
}
