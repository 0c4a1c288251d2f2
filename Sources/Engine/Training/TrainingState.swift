import Files
public import Kernels

/// What a checkpoint holds beside the model: optimizer, and where the generator and the data stand.
///
/// Randomness and data order are pure functions of (seed, step), so two numbers are their whole position.
public struct TrainingState: Sendable, Equatable {
  /// Updates made.
  public var step: Int
  /// Updates of the whole run: it can have been chosen at run time.
  public var totalSteps: Int
  public var tokens: Int
  public var seed: UInt64
  /// Sequences taken from the endless order of the data.
  public var sequences: Int
  public var bestValidationLoss: Double?
  /// Accuracy of the best evaluation, for tasks that have it.
  public var bestAccuracy: Double?
  /// Names the data, so that a run is not continued on another text.
  public var dataHash: String

  public init(
    step: Int = 0, totalSteps: Int, tokens: Int = 0, seed: UInt64, sequences: Int = 0,
    bestValidationLoss: Double? = nil, bestAccuracy: Double? = nil, dataHash: String,
  ) {
    self.step = step
    self.totalSteps = totalSteps
    self.tokens = tokens
    self.seed = seed
    self.sequences = sequences
    self.bestValidationLoss = bestValidationLoss
    self.bestAccuracy = bestAccuracy
    self.dataHash = dataHash
  }

  /// Takes the results of an evaluation that is better than every one before: by accuracy where it is measured, and
  /// among equals by loss.
  ///
  /// - Returns: Whether it is.
  mutating func take(_ evaluation: Evaluator.Result) -> Bool {
    guard evaluation.loss.isFinite else { return false }
    let isBetter: Bool
    if let accuracy = evaluation.accuracy, accuracy != bestAccuracy {
      isBetter = accuracy > bestAccuracy ?? -1
    } else {
      isBetter = evaluation.loss < bestValidationLoss ?? .infinity
    }
    guard isBetter else { return false }
    bestValidationLoss = evaluation.loss
    bestAccuracy = evaluation.accuracy
    return true
  }

  var json: JSON {
    [
      "schema": 1, "step": .integer(Int64(step)), "total_steps": .integer(Int64(totalSteps)),
      "tokens": .integer(Int64(tokens)), "seed": .string(String(seed)),
      "data_sequences": .integer(Int64(sequences)), "data_sha256": .string(dataHash),
      "best_validation_loss": bestValidationLoss.map { .number($0) } ?? .null,
      "best_accuracy": bestAccuracy.map { .number($0) } ?? .null,
    ]
  }

  init(_ reader: ConfigurationReader) throws {
    step = try reader.integer("step")
    totalSteps = try reader.integer("total_steps")
    tokens = try reader.integer("tokens")
    sequences = try reader.integer("data_sequences")
    dataHash = try reader.string("data_sha256") ?? ""
    guard let text = try reader.string("seed"), let seed = UInt64(text) else {
      throw ModelError.missingKey("seed", path: reader.path)
    }
    self.seed = seed
    let best = try reader.number("best_validation_loss", default: .nan)
    bestValidationLoss = best.isNaN ? nil : best
    let accuracy = try reader.number("best_accuracy", default: .nan)
    bestAccuracy = accuracy.isNaN ? nil : accuracy
    // Far above every real run, far below what overflows when it is multiplied with a batch.
    for (key, value) in [("step", step), ("total_steps", totalSteps)] where value < 0 || value > 1 << 40 {
      throw ModelError.badValue(key: key, value: "\(value)", expected: "0 to 2^40", path: reader.path)
    }
    for (key, value) in [("tokens", tokens), ("data_sequences", sequences)] where value < 0 || value > 1 << 60
    {
      throw ModelError.badValue(key: key, value: "\(value)", expected: "0 to 2^60", path: reader.path)
    }
  }
}

/// Writing and reading the training part of a checkpoint folder.
public enum TrainingCheckpoint {
  static let stateFile = "training_state.json"
  static let optimizerFile = "optimizer.safetensors"

  /// Files that are copied into every checkpoint: the tokenizer.
  public struct Attachment: Sendable {
    public let name: String
    public let bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
    }
  }

  /// Writes a complete checkpoint beside its final place and renames it.
  static func write(
    _ state: TrainingState, model: any LanguageModel, optimizer: Optimizer, attachments: [Attachment],
    oscillations: OscillationTracker? = nil, to path: String,
  ) throws {
    let folder = try AtomicFolder(path: path, overwrite: true)
    let temporary = folder.temporaryPath
    if let adapters = model.parameters.adapters {
      try AdapterFolder.write(adapters, of: model, to: temporary)
      try model.parameters.precision?.maxima?.write(to: temporary)
    } else {
      try ModelFolder.write(model, to: temporary)
    }
    try optimizer.writeState(to: temporary + "/" + optimizerFile)
    try oscillations?.write(to: temporary)
    try state.json.write(to: temporary + "/" + stateFile)
    for attachment in attachments {
      try AtomicFile.write(attachment.bytes, to: temporary + "/" + attachment.name)
    }
    try folder.finish()
  }

  public static func readState(_ path: String) throws -> TrainingState {
    let file = path + "/" + stateFile
    guard let object = try JSON.read(file).objectValue else {
      throw ModelError.badValue(key: stateFile, value: "no object", expected: "an object", path: file)
    }
    return try TrainingState(ConfigurationReader(object, path: file))
  }

  /// Fills the optimizer's state and remembered scales from a checkpoint.
  public static func restore(
    _ optimizer: Optimizer, _ model: any LanguageModel, from path: String, on device: any Device,
  ) throws {
    try restore(optimizer, from: path, on: device)
    try model.parameters.precision?.maxima?.read(from: path)
  }

  /// Fills the optimizer's state from a checkpoint.
  static func restore(_ optimizer: Optimizer, from path: String, on device: any Device) throws {
    let file = try SafetensorsFile(path: path + "/" + optimizerFile)
    let name = type(of: optimizer.rule).name
    guard file.metadata["optimizer"] == name else {
      throw ModelError.badValue(
        key: "optimizer", value: file.metadata["optimizer"] ?? "missing", expected: name, path: file.path)
    }
    guard let step = file.metadata["step"].flatMap({ Int($0) }), 0...(1 << 40) ~= step else {
      throw ModelError.badValue(
        key: "step", value: file.metadata["step"] ?? "missing", expected: "0 to 2^40", path: file.path)
    }
    let format = optimizer.stateFormat.rawValue
    guard file.metadata["state"] ?? Optimizer.StateFormat.fp32.rawValue == format else {
      throw ModelError.badValue(
        key: "state", value: file.metadata["state"] ?? "missing", expected: format, path: file.path)
    }
    try optimizer.readState(file)
    optimizer.restore(stepCount: step)
    try device.finish()
  }
}
