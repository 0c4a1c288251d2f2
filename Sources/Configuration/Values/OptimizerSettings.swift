/// The update rule.
public enum OptimizerKind: String, Sendable, CaseIterable {
  /// Adam with decoupled weight decay.
  case adamw
  /// Stochastic gradient descent with momentum.
  case sgd
}

/// What weight decay is multiplied with.
public enum WeightDecayMode: String, Sendable, CaseIterable {
  /// Weights shrink by learning rate x decay a step.
  case scaledByLearningRate = "scaled_by_learning_rate"
  /// Weights shrink by schedule share x decay a step, whatever the learning rate.
  case independent
}

/// How states of an update rule are stored.
public enum OptimizerState: String, Sendable, CaseIterable {
  /// Single precision.
  case fp32
  /// Eight bits on a dynamic map, blocks of 256.
  case int8
}

/// The update rule and its constants.
public struct OptimizerSettings: Sendable, Equatable {
  /// The rule.
  public var kind = OptimizerKind.adamw
  /// Highest step size of the schedule.
  public var learningRate = 3e-4
  /// Decay of the gradient's mean (adamw).
  public var beta1 = 0.9
  /// Decay of the squared gradient's mean (adamw).
  public var beta2 = 0.95
  /// Added to the denominator (adamw).
  public var epsilon = 1e-8
  /// Decay of matrices; vectors do not decay.
  public var weightDecay = 0.1
  /// What the decay is multiplied with.
  public var decayMode = WeightDecayMode.scaledByLearningRate
  /// Decay of the velocity (sgd).
  public var momentum = 0.9
  /// Whether momentum looks ahead (sgd).
  public var nesterov = false
  /// How its states are stored.
  public var state = OptimizerState.fp32
  /// Largest global norm of the gradient; 0 for no clipping.
  public var clip = 1.0

  /// The defaults.
  public init() {}
}

/// The learning rate's course after warm-up.
public enum ScheduleKind: String, Sendable, CaseIterable {
  /// Half a cosine down to the minimum.
  case cosine
  /// A straight line down to the minimum.
  case linear
  /// Constant, then a decay over the last steps.
  case wsd
  /// Constant.
  case constant
  /// Falling with the root of the step.
  case inverseSquareRoot = "inverse_sqrt"
}

/// The shape of the last phase of a `wsd` schedule.
public enum DecayShape: String, Sendable, CaseIterable {
  /// A straight line.
  case linear
  /// Half a cosine.
  case cosine
  /// One minus the root of the phase's share.
  case oneMinusSquareRoot = "1_sqrt"
}

/// The learning rate over the steps.
public struct ScheduleSettings: Sendable, Equatable {
  /// The course.
  public var kind = ScheduleKind.cosine
  /// Steps of linear warm-up.
  public var warmup = 100
  /// Learning rate at the end.
  public var minimum = 3e-5
  /// Steps of the decay: from the end of warm-up (cosine, linear), or the last ones (wsd).
  public var decaySteps = 900
  /// Shape of the decay (wsd).
  public var decayShape = DecayShape.linear

  /// The defaults.
  public init() {}
}

/// Terms of the objective besides cross-entropy.
public struct LossSettings: Sendable, Equatable {
  /// Probability spread evenly over all tokens.
  public var labelSmoothing = 0.0
  /// Weight of the squared log-partition function; 0 for none.
  public var zLoss = 0.0
  /// Logits are squeezed into this range by tanh; 0 for none.
  public var softcap = 0.0

  /// The defaults.
  public init() {}
}
