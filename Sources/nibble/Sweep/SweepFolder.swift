import BenchmarkReports
import Configuration
import Engine
import Files
import NumberFormats

/// The folder of a sweep: `sweep.yaml`, a run folder per point, `results.jsonl` and `pareto.svg`.
struct SweepFolder {
  let path: String
  /// Every point with its folder and the values of the varied keys.
  let description: SweepDescription

  static func isSweep(_ path: String) -> Bool { Folder.exists(path + "/" + fileName) }

  private static let fileName = "sweep.yaml"
  private var resultsPath: String { path + "/results.jsonl" }

  /// Opens a sweep.
  init(_ path: String) throws {
    self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
    let file = path + "/" + Self.fileName
    guard let description = try SweepDescription(file: file), !description.points.isEmpty else {
      throw Failure("'\(file)' has no points")
    }
    for point in description.points {
      guard let folder = point.folder, RunFolder.isRun(path + "/" + folder) else {
        throw Failure(
          "the sweep '\(path)' lacks the run of a point",
          details: ["\(Self.fileName) names '\(point.folder ?? "")', which is no run folder"])
      }
    }
    self.description = description
  }

  /// Makes the folder with everything in it that is known before the first run.
  static func make(_ request: SweepRequest, comment: [String]) throws -> SweepFolder {
    let folder = try AtomicFolder(path: request.folder, overwrite: Folder.exists(request.folder))
    for point in request.points {
      let run = folder.temporaryPath + "/" + point.folder
      try Folder.create(run + "/checkpoints")
      let resolved = point.request.resolved
      // Where only time was asked for, the number of steps stays open.
      let isOpen = resolved.values.minutes != nil && !PlannedRun.isPersonal(resolved.origin(of: "steps"))
      let text = resolved.yaml(derived: .written, open: isOpen ? ["steps"] : [])
      try AtomicFile.write(Array(text.utf8), to: run + "/config.yaml")
    }
    let description = SweepDescription(points: request.points.map(\.point), baseline: request.baseline)
    try AtomicFile.write(
      Array(description.yaml(comment: comment).utf8), to: folder.temporaryPath + "/" + fileName)
    try folder.finish()
    return try SweepFolder(request.folder)
  }

  func run(_ point: SweepPoint) -> String { path + "/" + (point.folder ?? "") }

  /// The points as a report shows them.
  func rows(_ cost: PointCost) throws -> [SweepRow] {
    let results = try results()
    return description.points.map { point in
      let folder = point.folder ?? ""
      var row = SweepRow(
        folder: folder, name: point.name, keys: point.settings.map { .init($0.key, $0.value) },
        outcome: .pending)
      guard let result = results[folder] else { return row }
      row.outcome = result.outcome
      row.reason = result.reason
      row.figures = result.figures
      row.cost = result.figures.flatMap { cost.cost($0) }
      return row
    }
  }

  // MARK: Results

  /// The last result of every point that has one.
  func results() throws -> [String: SweepResult] {
    guard Folder.exists(resultsPath) else { return [:] }
    let all = try JSONLinesFile.read(resultsPath).compactMap { SweepResult($0) }
    return Dictionary(all.map { ($0.folder, $0) }, uniquingKeysWith: { $1 })
  }

  /// Drops a line that a crash tore, so that the next one begins a line.
  func mendResults() throws {
    guard Folder.exists(resultsPath) else { return }
    let lines = try JSONLinesFile.read(resultsPath).map { $0.serializedBytes(.compact) + [0x0A] }
    try AtomicFile.write(Array(lines.joined()), to: resultsPath)
  }

  func append(_ result: SweepResult) throws {
    let file = try AppendingFile(path: resultsPath)
    try file.append(result.json.serializedBytes(.compact) + [0x0A])
  }
}

/// What became of a point.
struct SweepResult {
  /// The run folder inside the sweep's.
  let folder: String
  let outcome: SweepOutcome
  var reason: String?
  var figures: SweepRow.Figures?

  init(folder: String, outcome: SweepOutcome, reason: String? = nil, figures: SweepRow.Figures? = nil) {
    self.folder = folder
    self.outcome = outcome
    self.reason = reason
    self.figures = figures
  }

  init?(_ json: JSON) {
    guard let folder = json["run"]?.stringValue,
      let outcome = json["outcome"]?.stringValue.flatMap(SweepOutcome.init(rawValue:))
    else { return nil }
    self.init(
      folder: folder, outcome: outcome, reason: json["reason"]?.stringValue,
      figures: SweepRow.Figures(json))
    if outcome == .finished, figures == nil { return nil }
  }

  var json: JSON {
    var object: JSONObject = [
      "schema": 1, "run": .string(folder), "outcome": .string(outcome.rawValue),
      "reason": reason.map { .string($0) } ?? .null, "end": .string(Timestamp.iso(Call.wallTime())),
    ]
    for entry in figures?.json ?? [:] { object[entry.key] = entry.value }
    return .object(object)
  }
}

/// Files of one JSON value a line.
enum JSONLinesFile {
  /// The values; lines that a crash tore are left out.
  static func read(_ path: String) throws -> [JSON] {
    let file = try MappedFile(path: path)
    let bytes = try file.bytes(in: 0..<file.count)
    return bytes.split(separator: 0x0A).compactMap { try? JSON.parse(Array($0)) }
  }
}

extension SweepRow.Figures {
  /// What a finished run measured: its final evaluation, and its updates from `metrics.jsonl`.
  init(_ ending: RunEnding, _ evaluation: Evaluator.Result, _ recipe: RecipeCost?) throws {
    let lines = try JSONLinesFile.read(ending.folder + "/metrics.jsonl")
    // The first updates compile kernels.
    let speeds = lines.compactMap { $0["tokens_per_s"]?.doubleValue }
    let usual = (speeds.count > 20 ? Array(speeds.dropFirst(10)) : speeds).sorted()
    self.init(
      loss: evaluation.loss, lossError: evaluation.standardError, accuracy: evaluation.accuracy,
      tokensPerSecond: usual.isEmpty ? 0 : usual[usual.count / 2],
      memoryByteCount: lines.compactMap { $0["memory_bytes"]?.integerValue }.max() ?? 0,
      steps: lines.last?["step"]?.integerValue ?? 0, tokens: lines.last?["tokens"]?.integerValue ?? 0,
      seconds: lines.last?["time_s"]?.doubleValue ?? 0,
      model: recipe.map {
        .init(extraOperations: $0.operations, bytes: $0.bytes, relativeTime: $0.relativeTime)
      })
  }
}
