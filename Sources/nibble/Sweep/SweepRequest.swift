import BenchmarkReports
import Configuration
import Engine
import Files
import Terminal

/// A new sweep with every point's configuration resolved and checked, and nothing begun.
struct SweepRequest {
  struct Flags {
    /// The object and key=value,value, in order.
    var arguments: [String] = []
    var data: String?
    var output: String?
    var minutes: Double?
    var device: String?
    /// `key=value,key=value`.
    var baseline: String?
  }

  struct Point {
    /// With its folder and the canonical values of the varied keys.
    let point: SweepPoint
    let request: RunRequest
    var folder: String { point.folder ?? "" }
  }

  /// The sweep's.
  let folder: String
  let points: [Point]
  /// Canonical; empty for none.
  let baseline: [Assignment]

  init(_ flags: Flags) throws {
    let given = try ConfigurationArguments(flags.arguments)
    let object = try RunObject(given.object)
    let called = RunRequest.Flags(data: flags.data, minutes: flags.minutes, device: flags.device)
    let (fixed, axes) = try SweepArguments.read(given.assignments + RunRequest.assignments(of: called))
    var description = SweepDescription()
    var name = fixed.last { $0.key == "preset" }?.value ?? "sweep"
    var text: [Assignment] = []
    switch object {
    case .configuration(let path):
      description = try SweepDescription(file: path) ?? description
      name = RunObject.baseName(path)
    case .text(let path):
      text = [Assignment(key: "data.path", value: path, flag: "argument")]
      name = RunObject.baseName(path)
    case .run(let path):
      throw UsageError(
        "'\(path)' is a run, not a sweep", hints: ["nibble train \(path)", "nibble sweep init=\(path) ..."])
    case .nothing: break
    }
    try description.override(with: axes, fixed: fixed + text)
    folder = try flags.output.map(RunRequest.checkedOutput) ?? RunRequest.freeFolder(name, in: "sweeps")
    let expanded = try description.expanded()
    let requests = try Self.requests(expanded, given.object, fixed, flags)
    try Self.checkTwins(expanded, requests)
    points = Self.points(expanded, requests, gridKeys: description.axes.map(\.key))
    let wanted = try flags.baseline.map { try SweepArguments.baseline($0) } ?? description.baseline
    baseline = try Self.canonical(wanted)
    // A baseline that no point is must be found before anything is trained.
    let rows = points.map { point in
      SweepRow(
        folder: point.folder, name: point.point.name,
        keys: point.point.settings.map { .init($0.key, $0.value) }, outcome: .pending)
    }
    _ = try SweepReport(
      rows, baseline: baseline.map { .init($0.key, $0.value) }, costUnit: PointCost.measured.unit)
  }

  static func canonical(_ baseline: [Assignment]) throws -> [Assignment] {
    try baseline.map { setting in
      let value = setting.key == SweepDescription.pointKey ? setting.value : try setting.canonicalValue()
      return Assignment(key: setting.key, value: value)
    }
  }

  // MARK: Points

  /// Resolves every point; the problems of all are told together, each once.
  private static func requests(
    _ points: [SweepPoint], _ object: String?, _ fixed: [Assignment], _ flags: Flags,
  ) throws -> [RunRequest] {
    var requests: [RunRequest] = []
    var problems: [ErrorReport] = []
    for point in points {
      do {
        let request = try RunRequest(
          RunRequest.Flags(
            arguments: object.map { [$0] } ?? [], assignments: fixed + point.settings, data: flags.data,
            isPlan: true, allowsSweep: true))
        try checkValidation(request.values)
        requests.append(request)
      } catch let error as any UserError where error.exitCode == .invalidInput {
        for report in error.reports where !problems.contains(where: { $0.message == report.message }) {
          let place = "in the point \(point.title)"
          problems.append(
            ErrorReport(report.message, details: report.details + [place], hints: report.hints))
        }
      }
    }
    guard problems.isEmpty else { throw SweepError(problems) }
    return requests
  }

  private static func checkValidation(_ values: RunConfiguration) throws {
    let data = values.data
    guard data.task == .text, data.validation == nil, data.validationFraction == 0 else { return }
    throw Failure(
      "a sweep compares losses on held-out text, but data.validation_fraction is 0",
      hints: ["data.validation_fraction=0.1, or data.validation=FILE"])
  }

  private static func checkTwins(_ points: [SweepPoint], _ requests: [RunRequest]) throws {
    for index in requests.indices {
      guard let twin = requests[..<index].firstIndex(where: { $0.values == requests[index].values }) else {
        continue
      }
      throw SweepError(
        "two points are the same run", details: [points[twin].title, points[index].title],
        hints: ["leave one of them out"])
    }
  }

  private static func points(
    _ points: [SweepPoint], _ requests: [RunRequest], gridKeys: [String],
  ) -> [Point] {
    let written = points.flatMap { $0.settings.map(\.key) }
    var varied: [String] = []
    for key in written where !varied.contains(key) {
      if Set(requests.map { $0.resolved.display(of: key) }).count > 1 { varied.append(key) }
    }
    let digits = max(2, "\(points.count)".count)
    return zip(points, requests).enumerated().map { index, pair in
      let (point, request) = pair
      let settings = varied.map { Assignment(key: $0, value: request.resolved.display(of: $0) ?? "") }
      let shown = settings.filter { point.name == nil || gridKeys.contains($0.key) }.map(\.value)
      let number = "\(index + 1)"
      let words = [String(repeating: "0", count: digits - number.count) + number, point.name] + shown
      return Point(
        point: SweepPoint(
          folder: folderName(words.compactMap(\.self)), name: point.name, settings: settings),
        request: request)
    }
  }

  /// `02-attention-0.001`: no sign that a shell or a path would take for something else.
  private static func folderName(_ words: [String]) -> String {
    let text = words.joined(separator: "-").map { character in
      character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character))
        ? character : "-"
    }
    let parts = String(text).split(separator: "-").joined(separator: "-")
    return String(parts.prefix(60))
  }
}
