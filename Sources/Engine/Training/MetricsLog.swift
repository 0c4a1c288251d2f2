public import Files

/// Writes what a run measures: one JSON object per update in `metrics.jsonl`, and TensorBoard events.
public final class MetricsLog {
  private let descriptor: AppendingFile
  private let events: EventFile?
  /// Seconds that earlier processes trained, by the last line that was kept; 0 for a new run.
  let secondsBefore: Double

  /// - Parameters:
  ///   - folder: The run folder.
  ///   - step: Lines after this update are removed: a resumed run repeats them.
  ///   - events: Where TensorBoard events go, nil for none.
  public init(folder: String, after step: Int, events: EventFile?) throws {
    let path = folder + "/metrics.jsonl"
    secondsBefore = Folder.exists(path) ? try MetricsLog.truncate(path, after: step) : 0
    descriptor = try AppendingFile(path: path)
    self.events = events
  }

  /// Keeps the lines up to `step`; a torn last line is dropped.
  ///
  /// - Returns: The time of the last line that was kept.
  private static func truncate(_ path: String, after step: Int) throws -> Double {
    let file = try MappedFile(path: path)
    let bytes = try file.bytes(in: 0..<file.count)
    var seconds = 0.0
    var kept: [UInt8] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      // A line that cannot be read was torn by a crash.
      guard let json = try? JSON.parse(Array(line)), let number = json["step"]?.integerValue, number <= step
      else {
        continue
      }
      seconds = json["time_s"]?.doubleValue ?? seconds
      kept += line + [UInt8(ascii: "\n")]
    }
    try AtomicFile.write(kept, to: path)
    return seconds
  }

  /// Appends one update.
  ///
  /// JSON has no NaN: such values become null and are named in `nonfinite`.
  public func append(_ metrics: StepMetrics, wallTime: Double) throws {
    try descriptor.append(metrics.json.serializedBytes(.compact) + [UInt8(ascii: "\n")])
    guard let events else { return }
    try events.append(step: metrics.step, wallTime: wallTime, metrics.scalars)
  }
}

/// What is known after an update.
public struct StepMetrics: Sendable, Equatable {
  public var step: Int
  public var tokens: Int
  public var loss: Double
  public var learningRate: Double
  public var gradientNorm: Double
  public var tokensPerSecond: Double
  public var validationLoss: Double?
  /// Share of correct answers, for tasks that have them.
  public var validationAccuracy: Double?
  public var memoryByteCount: Int
  /// Seconds since the run began, over all its processes.
  public var seconds: Double
  /// What rounding did to operands, in updates that measured it.
  public var rounding: [OperandStatistics] = []
  /// How weights oscillate, in updates that report it.
  public var oscillations: [OscillationStatistics] = []

  private var named: [(key: String, value: Double)] {
    [
      ("loss", loss), ("learning_rate", learningRate), ("gradient_norm", gradientNorm),
      ("tokens_per_s", tokensPerSecond),
    ] + (validationLoss.map { [("validation_loss", $0)] } ?? [])
      + (validationAccuracy.map { [("validation_accuracy", $0)] } ?? [])
  }

  public var json: JSON {
    var object: JSONObject = ["step": .integer(Int64(step)), "tokens": .integer(Int64(tokens))]
    for (key, value) in named { object[key] = value.isFinite ? .number(value) : .null }
    object["memory_bytes"] = .integer(Int64(memoryByteCount))
    object["time_s"] = .number(seconds)
    let bad = named.filter { !$0.value.isFinite }.map { JSON.string("\($0.key): \($0.value)") }
    if !rounding.isEmpty { object["rounding"] = .array(rounding.map(\.json)) }
    if !oscillations.isEmpty {
      object["oscillation"] = [
        "share": .number(oscillations.share), "layers": .array(oscillations.map(\.json)),
      ]
    }
    if !bad.isEmpty { object["nonfinite"] = .array(bad) }
    return .object(object)
  }

  /// Under TensorBoard's usual tags.
  var scalars: [EventFile.Scalar] {
    let tags = [
      "loss": "loss/train", "learning_rate": "lr", "gradient_norm": "grad_norm",
      "tokens_per_s": "perf/tokens_per_second", "validation_loss": "loss/valid",
      "validation_accuracy": "accuracy/valid",
    ]
    return named.map { EventFile.Scalar(tags[$0.key] ?? $0.key, Float($0.value)) }
  }
}
