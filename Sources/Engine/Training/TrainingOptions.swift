/// Everything that a training run does, as plain values.
///
/// The command line makes it from the configuration.
public struct TrainingOptions: Sendable, Equatable {
  /// Updates in all.
  public var steps: Int
  /// When set, the number of updates is chosen after the first ones so that the run takes this many seconds.
  public var seconds: Double?
  public var seed: UInt64
  /// Tokens of one sequence.
  public var contextLength: Int
  /// Sequences of one update.
  public var sequencesPerStep: Int
  /// Sequences that are run at once; divides `sequencesPerStep`.
  public var microBatch: Int
  /// Layers keep only their inputs for the backward and run their forward twice: less memory, more time.
  public var recomputesLayers: Bool
  public var schedule: LearningRateSchedule
  /// Largest global gradient norm, 0 for none.
  public var clip: Double
  public var loss: LossOptions
  /// Updates between evaluations, 0 for none but the last.
  public var evaluationInterval: Int
  /// Tokens of an evaluation, 0 for the whole validation part.
  public var evaluationTokens: Int
  /// Updates between text samples, 0 for none.
  public var sampleInterval: Int
  public var sampleTokens: Int
  public var samplePrompt: String
  /// Updates between checkpoints, 0 for none but the last.
  ///
  /// The best evaluation so far is always saved.
  public var checkpointInterval: Int
  /// Checkpoints kept beside the best one.
  public var keptCheckpoints: Int
  /// Updates between measurements of what rounding does to the operands of linear layers, 0 for none.
  public var roundingInterval: Int
  /// Updates between reports of oscillating weights, 0 for none.
  public var oscillationInterval = 0
  /// Last updates in which only weights near a threshold move; see ``annealingRadius``.
  public var annealingSteps = 0
  /// How near, in steps between two levels.
  public var annealingRadius = 0.005
  /// How states of the optimizer are stored.
  public var optimizerState: Optimizer.StateFormat

  public init(
    steps: Int, seconds: Double? = nil, seed: UInt64, contextLength: Int, sequencesPerStep: Int,
    microBatch: Int, recomputesLayers: Bool = false,
    schedule: LearningRateSchedule, clip: Double = 1, loss: LossOptions = LossOptions(),
    evaluationInterval: Int = 0, evaluationTokens: Int = 0, sampleInterval: Int = 0, sampleTokens: Int = 64,
    samplePrompt: String = "", checkpointInterval: Int = 0, keptCheckpoints: Int = 3,
    roundingInterval: Int = 0, optimizerState: Optimizer.StateFormat = .fp32,
  ) {
    self.steps = steps
    self.seconds = seconds
    self.seed = seed
    self.contextLength = contextLength
    self.sequencesPerStep = sequencesPerStep
    self.microBatch = microBatch
    self.recomputesLayers = recomputesLayers
    self.schedule = schedule
    self.clip = clip
    self.loss = loss
    self.evaluationInterval = evaluationInterval
    self.evaluationTokens = evaluationTokens
    self.sampleInterval = sampleInterval
    self.sampleTokens = sampleTokens
    self.samplePrompt = samplePrompt
    self.checkpointInterval = checkpointInterval
    self.keptCheckpoints = keptCheckpoints
    self.roundingInterval = roundingInterval
    self.optimizerState = optimizerState
  }

  public var tokensPerStep: Int { sequencesPerStep * contextLength }

  /// Takes the number of updates that was chosen from the time the run was given.
  ///
  /// The schedule shrinks or grows with it. A resumed run takes the number in its checkpoint in the same way.
  public mutating func take(chosenSteps total: Int) {
    seconds = nil
    steps = total
    let scaled = schedule.decaySteps.multipliedReportingOverflow(by: total)
    schedule.decaySteps = scaled.overflow ? total : scaled.partialValue / max(1, schedule.totalSteps)
    schedule.totalSteps = total
    schedule.warmupSteps = min(schedule.warmupSteps, max(1, total / 10))
  }
}

/// Variations of the training loss; evaluation always measures plain cross-entropy.
public struct LossOptions: Sendable, Hashable {
  public var labelSmoothing: Double
  /// Coefficient of the squared log-partition.
  public var zLoss: Double
  /// Soft cap of the logits, 0 for none.
  ///
  /// Part of the model: evaluation uses it too.
  public var softcap: Double

  public init(labelSmoothing: Double = 0, zLoss: Double = 0, softcap: Double = 0) {
    self.labelSmoothing = labelSmoothing
    self.zLoss = zLoss
    self.softcap = softcap
  }
}
