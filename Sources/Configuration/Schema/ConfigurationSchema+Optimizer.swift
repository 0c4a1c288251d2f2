extension ConfigurationSchema {
  static let optimizerKeys = [
    ConfigurationKey("optimizer.kind", \.optimizer.kind, "Rule that updates the weights."),
    ConfigurationKey(
      "optimizer.learning_rate", \.optimizer.learningRate, range: .above(0, upTo: 1e30),
      "Highest learning rate of the schedule."),
    ConfigurationKey(
      "optimizer.beta1", \.optimizer.beta1, range: .halfOpen(0, 1), "Decay of the gradient's mean (adamw)."),
    ConfigurationKey(
      "optimizer.beta2", \.optimizer.beta2, range: .halfOpen(0, 1),
      "Decay of the squared gradient's mean (adamw)."),
    ConfigurationKey(
      "optimizer.epsilon", \.optimizer.epsilon, range: .above(0, upTo: 1),
      "Added to the root of the squared gradient's mean (adamw)."),
    ConfigurationKey(
      "optimizer.weight_decay", \.optimizer.weightDecay, range: .within(0, 1000),
      "Decay of matrices and embeddings; vectors such as norms and biases do not decay."),
    ConfigurationKey(
      "optimizer.decay_mode", \.optimizer.decayMode,
      "Whether decay is multiplied with the learning rate or only with the schedule."),
    ConfigurationKey(
      "optimizer.momentum", \.optimizer.momentum, range: .halfOpen(0, 1), "Decay of the velocity (sgd)."),
    ConfigurationKey("optimizer.nesterov", \.optimizer.nesterov, "Whether momentum looks ahead (sgd)."),
    ConfigurationKey(
      "optimizer.state", \.optimizer.state,
      "How the rule's states are stored: fp32, or int8 in blocks of 256 (matrices of 4096 numbers or more)."),
    ConfigurationKey(
      "optimizer.clip", \.optimizer.clip, range: .within(0, 1e9),
      "Largest global norm of the gradient, 0 for no clipping."),
  ]

  static let scheduleKeys = [
    ConfigurationKey("schedule.kind", \.schedule.kind, "Course of the learning rate after warm-up."),
    ConfigurationKey(
      "schedule.warmup", \.schedule.warmup, unit: "steps", range: .within(0, 1e9),
      derived: "a tenth of steps, at most 100", "Steps of linear warm-up."),
    ConfigurationKey(
      "schedule.minimum", \.schedule.minimum, range: .within(0, 1e30), derived: "0.1 x learning rate",
      "Learning rate at the end of the decay."),
    ConfigurationKey(
      "schedule.decay_steps", \.schedule.decaySteps, unit: "steps", range: .within(0, 1e9),
      derived: "steps - warmup (wsd: a fifth of steps; constant, inverse_sqrt: 0)",
      "Length of the decay: after warm-up (cosine, linear) or the last steps (wsd)."),
    ConfigurationKey("schedule.decay_shape", \.schedule.decayShape, "Shape of the last phase (wsd)."),
  ]

  static let lossKeys = [
    ConfigurationKey(
      "loss.label_smoothing", \.loss.labelSmoothing, range: .halfOpen(0, 1),
      "Probability spread evenly over all tokens."),
    ConfigurationKey(
      "loss.z_loss", \.loss.zLoss, range: .within(0, 1000),
      "Weight of the squared logarithm of the softmax's denominator, 0 for none."),
    ConfigurationKey(
      "loss.softcap", \.loss.softcap, range: .within(0, 1e6),
      "Logits become softcap x tanh(logits / softcap), 0 for none."),
  ]
}
