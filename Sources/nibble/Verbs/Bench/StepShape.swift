import Configuration
import Engine
import Terminal
import Tokenizers

/// What `nibble bench train` times: a preset with some of its sizes replaced.
struct StepShape {
  let model: ModelConfiguration
  let options: TrainingOptions
  let rule: any UpdateRule
  /// As written: `small`, `tiny dim=512 heads=8`.
  let title: String
  /// The preset and the keys of the configuration without the sizes.
  let settings: String

  /// The short names of sizes and the keys they stand for; `vocab` and `batch` have rules of their own.
  private static let keys = [
    "dim": "model.dimension", "layers": "model.layers", "heads": "model.heads", "kv_heads": "model.kv_heads",
    "ffn": "model.hidden", "time": "model.context",
  ]
  private static let names = ["dim", "layers", "heads", "kv_heads", "ffn", "vocab", "time", "batch"]
  /// Tokens of a step.
  private static let mostTokens = 1 << 24
  /// Sections whose keys change a step.
  private static let sections = ["model", "mixer", "precision", "batch", "optimizer", "loss"]
  /// Keys of those sections that the benchmark settles itself.
  private static let settled = ["optimizer.learning_rate"]

  /// - Parameters:
  ///   - preset: Gives what the words leave open; tiny when nil.
  ///   - words: `dim=512` and the like, and keys of the configuration.
  init(preset: String?, words: [String]) throws {
    let preset = preset ?? "tiny"
    let assignments = try words.map(Self.assignment)
    try Self.refuseRepetition(assignments)
    let sizes = assignments.filter { Self.names.contains($0.key) }
    let keys = assignments.filter { !Self.names.contains($0.key) }
    try Self.refuseSecondBatch(sizes, keys)
    let base = [Assignment(key: "preset", value: preset, flag: "--config")]
    let given = try ResolvedConfiguration(ConfigurationSources(assignments: base)).values
    var translated = sizes.compactMap { size in
      Self.keys[size.key].map { Assignment(key: $0, value: size.value) }
    }
    if sizes.contains(where: { $0.key == "time" || $0.key == "batch" }) {
      let time = try Self.count("time", in: sizes, most: 1 << 24) ?? given.model.context
      let batch =
        try Self.count("batch", in: sizes, most: 1 << 20) ?? given.batch.tokens / given.model.context
      guard batch * time <= Self.mostTokens else {
        throw UsageError(
          "batch=\(batch) of time=\(time) are \(batch * time) tokens; a step has at most \(Self.mostTokens)")
      }
      translated.append(Assignment(key: "batch.tokens", value: "\(batch * time)"))
      translated.append(Assignment(key: "batch.micro", value: "\(batch)"))
    }
    let sources = ConfigurationSources(assignments: base + translated + keys)
    let resolved = try ResolvedConfiguration(sources)
    if let idle = resolved.warnings.first { throw UsageError(idle.report.message) }
    let values = resolved.values
    var model = try ModelShape.configuration(values, ByteTokenizer(endOfText: .absent))
    // Random tokens need no tokenizer, so there may be fewer than it has.
    if let count = try Self.count("vocab", in: sizes, most: 1 << 24) { model.vocabularySize = count }
    model.precision = try LinearPrecision(values, steps: nil)
    model.storage = NumberStorage(values)
    self.model = model
    options = TrainingOptions(values, stepsAreLimit: true)
    rule = OptimizerRule.rule(values.optimizer)
    title = ([preset] + words).joined(separator: " ")
    settings = ([preset] + keys.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
  }

  private static func assignment(_ word: String) throws -> Assignment {
    guard let assignment = Assignment(argument: word) else {
      throw UsageError("'\(word)' is no key=value", hints: ["nibble bench train --config tiny layers=2"])
    }
    let name = assignment.key
    let key = ConfigurationSchema.key(named: name)
    if key == nil, !names.contains(name), !name.contains(".") {
      throw UsageError(
        "'\(name)' is neither a size nor a key of the configuration",
        hints: nameHints(for: name, in: names, noun: "sizes") + ["all keys: nibble config schema"])
    }
    if let key, name != "seed", !sections.contains(key.section) || settled.contains(name) {
      throw UsageError(
        "\(name)= changes nothing about a step",
        hints: ["sizes: \(names.joined(separator: ", ")); keys of \(sections.joined(separator: ", ")); seed"])
    }
    return assignment
  }

  /// A size or a key that is given twice: one of the two would have no effect.
  private static func refuseRepetition(_ assignments: [Assignment]) throws {
    var given: [String: Assignment] = [:]
    for assignment in assignments {
      let key = keys[assignment.key] ?? assignment.key
      if let first = given[key] {
        throw UsageError(
          "\(first.key)=\(first.value) and \(assignment.key)=\(assignment.value) say the same twice",
          hints: ["leave out \(assignment.key)=\(assignment.value)"])
      }
      given[key] = assignment
    }
  }

  /// The number given for a size.
  private static func count(_ name: String, in sizes: [Assignment], most: Int) throws -> Int? {
    guard let text = sizes.first(where: { $0.key == name })?.value else { return nil }
    guard let count = Int(text), (1...most).contains(count) else {
      throw UsageError("\(name) is '\(text)'; give a whole number from 1 to \(most)")
    }
    return count
  }

  /// `time=` and `batch=` say what a batch is, and so do some keys: both would contradict each other.
  private static func refuseSecondBatch(_ sizes: [Assignment], _ keys: [Assignment]) throws {
    let pairs = [
      ("time", ["batch.tokens", "batch.micro"]), ("batch", ["batch.tokens", "batch.micro"]),
      ("vocab", ["model.vocabulary"]),
    ]
    for (size, others) in pairs where sizes.contains(where: { $0.key == size }) {
      guard let other = keys.first(where: { others.contains($0.key) }) else { continue }
      throw UsageError(
        "\(size)= and \(other.key)= say the same twice", hints: ["leave out \(other.key)=\(other.value)"])
    }
  }
}
