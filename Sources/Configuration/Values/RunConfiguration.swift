/// Everything that defines a run, as plain values.
///
/// Every stored property below the sections is one key of `ConfigurationSchema`; the initial values are the
/// built-in defaults. Derived fields (head dimension, MLP width, ...) hold the value that the rules of
/// `Derivation` give for these defaults.
public struct RunConfiguration: Sendable, Equatable {
  /// Names or paths of the configurations below this one, weakest first.
  public var extends: [String] = []
  /// A shipped configuration below `extends`.
  public var preset: String?
  /// A checkpoint folder to start from.
  public var initialCheckpoint: String?
  /// Optimizer steps.
  public var steps = 1000
  /// Time limit in minutes; whichever of steps and minutes comes first ends the run.
  public var minutes: Double?
  /// Seed of every random choice.
  public var seed = 1
  /// The device's name; nil to let the program choose.
  public var device: String?
  /// The network.
  public var model = ModelSettings()
  /// What its layers mix positions with.
  public var mixer = MixerChoices()
  /// What products of linear layers are rounded to.
  public var precision = PrecisionSettings()
  /// What is trained in place of the weights.
  public var adapter = AdapterSettings()
  /// The text.
  public var data = DataSettings()
  /// The generated task.
  public var task = TaskSettings()
  /// Tokens per step.
  public var batch = BatchSettings()
  /// The update rule.
  public var optimizer = OptimizerSettings()
  /// The learning rate over the steps.
  public var schedule = ScheduleSettings()
  /// The objective.
  public var loss = LossSettings()
  /// Measuring on validation text, and samples.
  public var evaluation = EvaluationSettings()
  /// Saving.
  public var checkpoint = CheckpointSettings()
  /// Logging.
  public var log = LogSettings()

  /// The built-in defaults.
  public init() {}

  /// Micro-batches whose gradients make one step; 0 where micro or context is not positive.
  public var microBatchesPerStep: Int {
    let (tokens, overflow) = batch.micro.multipliedReportingOverflow(by: model.context)
    return overflow || tokens <= 0 ? 0 : batch.tokens / tokens
  }

  /// Tokens the whole run trains on, nil if the product is too large to be meant.
  public var totalTokens: Int? {
    let (tokens, overflow) = batch.tokens.multipliedReportingOverflow(by: steps)
    return overflow ? nil : tokens
  }
}

/// Validation: how often, on how much, and the samples.
public struct EvaluationSettings: Sendable, Equatable {
  /// Steps between evaluations; 0 for none.
  public var every = 250
  /// Validation tokens per evaluation; 0 for all.
  public var tokens = 32_768
  /// Steps between text samples; 0 for none.
  public var sampleEvery = 0
  /// Tokens per sample.
  public var sampleTokens = 64
  /// What samples continue.
  public var prompt = "\n"

  /// The defaults.
  public init() {}
}

/// Saving: how often and how many stay.
public struct CheckpointSettings: Sendable, Equatable {
  /// Steps between checkpoints; 0 for only the last.
  public var every = 500
  /// Checkpoints kept besides the best.
  public var keep = 3

  /// The defaults.
  public init() {}
}

/// Logging.
public struct LogSettings: Sendable, Equatable {
  /// Steps between lines for people; `metrics.jsonl` has every step.
  public var every = 1
  /// Whether TensorBoard event files are written.
  public var tensorboard = true

  /// The defaults.
  public init() {}
}
