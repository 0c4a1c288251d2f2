import Files
public import Terminal

/// What a training run wrote down: its updates, and what rounding did to operands where that was measured.
public struct RunHistory: Sendable {
  /// An update; nil is a value that was not finite.
  public struct Update: Sendable, Hashable {
    public let step: Int
    public let loss: Double?
    public let gradientNorm: Double?
    /// Where it was measured.
    public let validationLoss: Double?

    public init(step: Int, loss: Double?, gradientNorm: Double?, validationLoss: Double? = nil) {
      self.step = step
      self.loss = loss
      self.gradientNorm = gradientNorm
      self.validationLoss = validationLoss
    }
  }

  /// The run folder as it was given.
  public let name: String
  /// By rising step, at least one.
  public let updates: [Update]
  /// By rising step; those of one step in the order of the tape: forward, then backward.
  public let measurements: [RoundingMeasurement]
  /// Lines that could not be read: a crash tears the last one.
  public let unreadableLineCount: Int
  /// What the run was trained on and from which seed; nil where run.json does not say.
  public let origin: Origin?

  /// What two runs must share for their losses to be compared step by step.
  public struct Origin: Sendable, Hashable {
    public let seed: Int
    public let data: String
  }

  public init(
    name: String, updates: [Update], measurements: [RoundingMeasurement] = [], unreadableLineCount: Int = 0,
    origin: Origin? = nil,
  ) {
    self.name = name
    self.updates = updates
    self.measurements = measurements
    self.unreadableLineCount = unreadableLineCount
    self.origin = origin
  }

  /// Reads `metrics.jsonl` and `run.json` of a run folder, also while the run trains.
  ///
  /// - Throws: ``RunHistoryError`` when there are no updates, or their steps do not rise.
  public init(folder: String) throws {
    let path = folder + "/metrics.jsonl"
    guard Folder.exists(path) else { throw RunHistoryError.noMetrics(folder: folder) }
    let file = try MappedFile(path: path)
    let lines = try file.bytes(in: 0..<file.count).split(separator: 0x0A)
    var updates: [Update] = []
    var measurements: [RoundingMeasurement] = []
    var unreadable = 0
    for line in lines {
      guard let json = try? JSON.parse(Array(line)), let step = json["step"]?.integerValue else {
        unreadable += 1
        continue
      }
      if let last = updates.last, last.step >= step {
        throw RunHistoryError.notRising(path: path, step: step, after: last.step)
      }
      updates.append(
        Update(
          step: step, loss: json["loss"]?.doubleValue, gradientNorm: json["gradient_norm"]?.doubleValue,
          validationLoss: json["validation_loss"]?.doubleValue))
      measurements += (json["rounding"]?.arrayValue ?? []).compactMap { RoundingMeasurement($0, step: step) }
    }
    guard !updates.isEmpty else { throw RunHistoryError.noUpdates(path: path, unreadable: unreadable) }
    self.init(
      name: folder, updates: updates, measurements: measurements, unreadableLineCount: unreadable,
      origin: Self.origin(folder))
  }

  private static func origin(_ folder: String) -> Origin? {
    guard let json = try? JSON.read(folder + "/run.json"), let seed = json["seed"]?.integerValue,
      let data = json["data"]?["sha256"]?.stringValue
    else { return nil }
    return Origin(seed: seed, data: data)
  }

  /// Steps in which rounding was measured, rising.
  public var measuredSteps: [Int] { measurements.map(\.step).unique() }
}

/// An operand of a layer: a row of a heat map.
public struct RoundedOperandName: Sendable, Hashable {
  public let layer: String
  public let operand: String

  public init(layer: String, operand: String) {
    self.layer = layer
    self.operand = operand
  }

  var text: String { "\(layer) \(operand)" }
}

/// What rounding did to one operand in one step.
public struct RoundingMeasurement: Sendable, Hashable {
  public let step: Int
  public let name: RoundedOperandName
  /// By ``RoundingQuantity``; what is missing was not finite.
  public let values: [RoundingQuantity: Double]
  /// Whether numbers were no longer finite, before or after rounding.
  public let hasNonFinite: Bool
  /// Whether all numbers were zero before they were rounded.
  public let isZero: Bool

  public init(
    step: Int, name: RoundedOperandName, values: [RoundingQuantity: Double], hasNonFinite: Bool = false,
    isZero: Bool = false,
  ) {
    self.isZero = isZero
    self.step = step
    self.name = name
    self.values = values
    self.hasNonFinite = hasNonFinite
  }

  /// Nil where the operand has no name.
  init?(_ json: JSON, step: Int) {
    guard let layer = json["layer"]?.stringValue, let operand = json["operand"]?.stringValue else {
      return nil
    }
    self.step = step
    name = RoundedOperandName(layer: layer, operand: operand)
    let pairs = RoundingQuantity.allCases.compactMap { quantity in
      json[quantity.metricsKey]?.doubleValue.map { (quantity, $0) }
    }
    values = Dictionary(uniqueKeysWithValues: pairs)
    isZero = json["largest"]?.doubleValue == 0
    hasNonFinite = (json["nonfinite"]?.doubleValue ?? 0) > 0 || json["largest"]?.doubleValue == nil
  }
}

/// Why a run's history cannot be read.
public enum RunHistoryError: UserError, Hashable {
  case noMetrics(folder: String)
  case noUpdates(path: String, unreadable: Int)
  case notRising(path: String, step: Int, after: Int)

  public var message: String {
    switch self {
    case .noMetrics(let folder): "'\(folder)' has no metrics.jsonl"
    case .noUpdates(let path, 0): "'\(path)' has no updates yet"
    case .noUpdates(let path, let count): "'\(path)': none of its \(count) lines is an update"
    case .notRising(let path, let step, let after): "'\(path)': step \(step) stands behind step \(after)"
    }
  }

  public var hints: [String] {
    switch self {
    case .noMetrics: ["give the folder of a run, as in nibble report runs/NAME"]
    case .noUpdates: ["a run writes a line for every update"]
    case .notRising: ["two runs have written into one file; go on with 'nibble train FOLDER' only"]
    }
  }
}
