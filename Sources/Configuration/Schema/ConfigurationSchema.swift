/// All keys, in the order of documentation and files.
public enum ConfigurationSchema {
  /// Every key.
  public static let keys: [ConfigurationKey] =
    runKeys + modelKeys + mixerKeys + precisionKeys + adapterKeys + dataKeys + taskKeys + batchKeys
    + optimizerKeys
    + scheduleKeys
    + lossKeys
    + evaluationKeys
    + checkpointKeys + logKeys

  /// The sections in order, without the top level.
  public static let sections: [String] = keys.reduce(into: []) { sections, key in
    if !key.section.isEmpty, !sections.contains(key.section) { sections.append(key.section) }
  }

  /// What a section is about, in one sentence; empty name for the top level.
  public static func summary(ofSection section: String) -> String {
    switch section {
    case "": "The run as a whole."
    case "model": "The network."
    case "mixer": "What the layers mix positions with."
    case "precision": "What the products of linear layers are rounded to, and how numbers are stored."
    case "adapter": "What is trained in place of the weights of `init`."
    case "data": "The text and its tokens."
    case "task": "The generated task that `data.task` names."
    case "batch": "How many tokens make a step."
    case "optimizer": "The update rule."
    case "schedule": "The learning rate over the steps."
    case "loss": "The objective."
    case "evaluation": "Measuring on validation text, and samples."
    case "checkpoint": "Saving."
    case "log": "Logging."
    default: ""
    }
  }

  /// The key of a dotted name.
  public static func key(named name: String) -> ConfigurationKey? { keysByName[name] }

  /// The keys of a section, the top level for an empty name.
  public static func keys(inSection section: String) -> [ConfigurationKey] {
    keys.filter { $0.section == section }
  }

  /// Environment variables with our prefix that belong to the program and are no keys.
  public static let programVariables = [
    "NIBBLE_CACHE", "NIBBLE_DEBUG", "NIBBLE_KERNELS", "NIBBLE_KERNEL_STYLE", "NIBBLE_THREADS",
    "NIBBLE_TUNING",
  ]

  private static let keysByName = Dictionary(
    keys.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

extension ConfigurationSchema {
  private static let runKeys = [
    ConfigurationKey(
      "extends", \.extends,
      "Configurations below this one, weakest first: a shipped name or a path (relative to this file)."),
    ConfigurationKey(
      "preset", \.preset, "A shipped configuration to start from, weaker than everything in `extends`."),
    ConfigurationKey("init", \.initialCheckpoint, "A checkpoint folder whose weights the run starts from."),
    ConfigurationKey(
      "steps", \.steps, unit: "steps", range: .within(1, 1e9), "Optimizer steps of the whole run."),
    ConfigurationKey(
      "minutes", \.minutes, unit: "minutes", range: .above(0, upTo: 1e6), observes: true,
      "Time limit; the run ends at `steps` or here, whichever comes first."),
    ConfigurationKey(
      "seed", \.seed, range: .within(0, 9_007_199_254_740_992), "Seed of every random choice in the run."),
    ConfigurationKey(
      "device", \.device, observes: true, "Device to train on (see `nibble devices`); chosen when absent."),
  ]

  private static let dataKeys = [
    ConfigurationKey(
      "data.task", \.data.task, "What is learned: the next token of a text, or a generated task."),
    ConfigurationKey(
      "data.path", \.data.path,
      "Text, token file or folder to train on; `embedded` is the corpus inside the program."),
    ConfigurationKey(
      "data.validation", \.data.validation,
      "Validation text; when absent the end of the training text validates."),
    ConfigurationKey("data.tokenizer", \.data.tokenizer, "How text becomes tokens."),
    ConfigurationKey(
      "data.validation_fraction", \.data.validationFraction, range: .halfOpen(0, 1),
      "Share of the text, from its end, kept for validation."),
    ConfigurationKey(
      "data.separator", \.data.separator,
      "What stands between the documents of a .txt file; empty if the file is one document."),
    ConfigurationKey(
      "data.end_of_text", \.data.endOfText, "Whether an end-of-text token follows each document."),
  ]

  private static let batchKeys = [
    ConfigurationKey(
      "batch.tokens", \.batch.tokens, unit: "tokens", range: .within(1, 1e9),
      derived: "micro (or 8) x context", "Tokens per optimizer step, a multiple of micro x context."),
    ConfigurationKey(
      "batch.micro", \.batch.micro, unit: "sequences", range: .within(1, 1_048_576),
      derived: "largest divisor of tokens / context up to 8",
      "Sequences per micro-batch; smaller needs less memory."),
    ConfigurationKey(
      "batch.recompute", \.batch.recompute, observes: true,
      "Whether layers run their forward again in the backward: less memory, the same result, about a third more time."
    ),
  ]

  private static let evaluationKeys = [
    ConfigurationKey(
      "evaluation.every", \.evaluation.every, unit: "steps", range: .within(0, 1e9), observes: true,
      "Steps between evaluations on validation text, 0 for none."),
    ConfigurationKey(
      "evaluation.tokens", \.evaluation.tokens, unit: "tokens", range: .within(0, 1e12), observes: true,
      "Validation tokens per evaluation, 0 for all."),
    ConfigurationKey(
      "evaluation.sample_every", \.evaluation.sampleEvery, unit: "steps", range: .within(0, 1e9),
      observes: true, "Steps between text samples, 0 for none."),
    ConfigurationKey(
      "evaluation.sample_tokens", \.evaluation.sampleTokens, unit: "tokens", range: .within(1, 1e6),
      observes: true, "Length of a sample."),
    ConfigurationKey(
      "evaluation.prompt", \.evaluation.prompt, observes: true, "The text that samples continue."),
  ]

  private static let checkpointKeys = [
    ConfigurationKey(
      "checkpoint.every", \.checkpoint.every, unit: "steps", range: .within(0, 1e9), observes: true,
      "Steps between checkpoints, 0 for only the last."),
    ConfigurationKey(
      "checkpoint.keep", \.checkpoint.keep, range: .within(1, 1e6), observes: true,
      "How many of the newest checkpoints stay on disk."),
  ]

  private static let logKeys = [
    ConfigurationKey(
      "log.every", \.log.every, unit: "steps", range: .within(1, 1e9), observes: true,
      "Steps between lines for people; metrics.jsonl has every step."),
    ConfigurationKey(
      "log.tensorboard", \.log.tensorboard, observes: true, "Whether TensorBoard event files are written."),
  ]
}
