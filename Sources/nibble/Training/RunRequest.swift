import Configuration
import Engine
import Files
import Glibc
import Terminal
import Tokenizers

/// What `nibble train` is asked to do: which configuration, in which folder, new or continued.
struct RunRequest {
  enum Origin: Equatable {
    case new
    /// The folder exists and goes on where its last checkpoint stands.
    case resumed
  }

  let resolved: ResolvedConfiguration
  let origin: Origin
  /// The run folder.
  let folder: String
  /// What the plan calls the run.
  let name: String
  /// Choices the program made, each with its reason.
  private(set) var choices: [String] = []
  /// The lock of a run that goes on, taken before anything of it was read; nil for a new run and for a mere plan.
  private(set) var lockedFolder: RunFolder?
  /// The checkpoint that a run goes on from: the folder that `checkpoints/latest` points to; nil without one.
  private(set) var checkpoint: String?
  /// Keys that differ from those the run was started with.
  private(set) var changes: [KeyChange] = []
  var values: RunConfiguration { resolved.values }

  /// The flags of the call, as far as they decide what is run.
  struct Flags {
    /// The object and key=value, in order.
    var arguments: [String] = []
    /// Keys set by other means than the line's words.
    var assignments: [Assignment] = []
    var data: String?
    var output: String?
    var minutes: Double?
    var seed: Int?
    var device: String?
    /// Keys that may change what a resumed run learns.
    var allowed: [String] = []
    /// Whether the run is only planned: another process may go on with it meanwhile.
    var isPlan = false
    /// Whether a configuration may have a section `sweep`.
    var allowsSweep = false
    /// Where keys are looked up besides the line and files.
    var environment = processEnvironment()
  }

  init(_ flags: Flags) throws {
    let given = try ConfigurationArguments(flags.arguments)
    let assignments = given.assignments + flags.assignments + RunRequest.assignments(of: flags)
    if let unknown = flags.allowed.first(where: { ConfigurationSchema.key(named: $0) == nil }) {
      let names = ConfigurationSchema.keys.map(\.name)
      throw UsageError(
        "--allow \(unknown): no such key",
        hints: nameHints(for: unknown, in: names, noun: "keys") + ["all keys: nibble config schema"])
    }
    switch try RunObject(given.object) {
    case .run(let folder):
      try self.init(resuming: folder, assignments, flags)
    case .configuration(let path):
      let sources = ConfigurationSources(file: path, allowsSweep: flags.allowsSweep)
      try self.init(new: RunObject.baseName(path), sources, assignments, flags)
    case .text(let path):
      try self.init(text: path, assignments, flags)
    case .nothing:
      let preset = assignments.last { $0.key == "preset" }?.value
      let text = flags.data.map(RunObject.baseName)
      try self.init(new: preset ?? text ?? "run", ConfigurationSources(), assignments, flags)
    }
  }

  /// The keys that flags stand for.
  static func assignments(of flags: Flags) -> [Assignment] {
    let pairs: [(String, String?, String)] = [
      ("data.path", flags.data, "--data"), ("minutes", flags.minutes.map { "\($0)" }, "--minutes"),
      ("seed", flags.seed.map { "\($0)" }, "--seed"), ("device", flags.device, "--device"),
    ]
    return pairs.compactMap { key, value, flag in value.map { Assignment(key: key, value: $0, flag: flag) } }
  }

  private init(
    new name: String, _ base: ConfigurationSources, _ assignments: [Assignment], _ flags: Flags,
    choices: [String] = [],
  ) throws {
    var sources = base
    sources.environment = flags.environment
    sources.assignments = assignments
    resolved = try StartingCheckpoint(sources).map { try $0.resolved() } ?? ResolvedConfiguration(sources)
    origin = .new
    self.name = name
    folder = try flags.output.map(RunRequest.checkedOutput) ?? RunRequest.freeFolder(name)
    self.choices = choices
    guard resolved.values.data.name != nil else {
      throw Failure(
        "no text to train on: data.path is not set",
        hints: ["--data FILE, or data.path=embedded for the text inside the program, or data.task=mqar"])
    }
  }

  /// A bare text: a shipped configuration is chosen by its size.
  private init(text path: String, _ assignments: [Assignment], _ flags: Flags) throws {
    if flags.data != nil {
      throw UsageError("two texts: '\(path)' and --data", hints: ["give one of them"])
    }
    var assignments = [Assignment(key: "data.path", value: path, flag: "argument")] + assignments
    var choices: [String] = []
    if !assignments.contains(where: { $0.key == "preset" || $0.key == "extends" }) {
      let size = RunObject.byteCount(path)
      let limit = 20 << 20
      let preset = size < limit ? "shakespeare" : "tiny"
      choices.append(
        "preset \(preset): the text has \(Numbers.bytes(size)), \(size < limit ? "below" : "above") \(Numbers.bytes(limit))"
      )
      assignments.insert(Assignment(key: "preset", value: preset, flag: "chosen by size"), at: 0)
    }
    try self.init(new: RunObject.baseName(path), ConfigurationSources(), assignments, flags, choices: choices)
  }

  private init(resuming folder: String, _ assignments: [Assignment], _ flags: Flags) throws {
    if let output = flags.output, output != folder {
      throw UsageError(
        "a run continues in its own folder '\(folder)', not in '\(output)'",
        hints: ["leave out --output, or start a new run with init=\(folder) --output \(output)"])
    }
    lockedFolder = flags.isPlan ? nil : try RunFolder(folder)
    let continued = try ContinuedConfiguration(folder, assignments, environment: flags.environment)
    resolved = continued.resolved
    changes = continued.changes
    origin = .resumed
    self.folder = folder
    name = RunObject.baseName(folder)
    checkpoint = try RunRequest.latestCheckpoint(folder)
    let refused = changes.filter {
      $0.changesTraining && !flags.allowed.contains($0.key.name) && !continued.follows($0.key)
    }
    guard refused.isEmpty else {
      let allow = refused.map { "--allow \($0.key.name)" }.joined(separator: " ")
      throw Failure(
        "this would change what the run in '\(folder)' learns", details: refused.map(\.description),
        hints: ["if it is meant, add \(allow)", "or leave the run as it is and start another with --output"])
    }
    let fixed = changes.filter {
      ["model", "adapter"].contains($0.key.section)
        || ["data.tokenizer", "loss.softcap"].contains($0.key.name)
    }
    if !fixed.isEmpty, checkpoint != nil {
      throw Failure(
        "the run's checkpoints fix these keys", details: fixed.map(\.description),
        hints: ["start another run: --output FOLDER, with init=\(folder) to begin from its weights"])
    }
  }

  /// Values that have no effect, as far as this call wrote them: a run's file has every key.
  var warnings: [ConfigurationProblem] {
    resolved.warnings.filter { problem in
      guard case .file? = problem.origin else { return true }
      return origin == .new
    }
  }

  /// The number of steps of a run that has nothing left to do; nil for any other.
  func stepsWhenDone() throws -> Int? {
    guard let checkpoint else { return nil }
    let state = try TrainingCheckpoint.readState(checkpoint)
    let isChanged = changes.contains { $0.key.name == "steps" || $0.key.name == "minutes" }
    // Where the steps were chosen by time, the checkpoint knows their number.
    let total = values.minutes != nil && !isChanged ? state.totalSteps : values.steps
    return state.step >= total ? state.step : nil
  }

  // MARK: Folders

  /// Opens and locks the run's folder; a new run's must still be empty.
  func openFolder() throws -> RunFolder {
    if let lockedFolder { return lockedFolder }
    let opened = try RunFolder(folder)
    // Planning takes time, in which another process may have begun a run here.
    let others = try Folder.names(in: folder).filter { $0 != "checkpoints" && $0 != ".nibble.lock" }
    let checkpoints = try Folder.names(in: folder + "/checkpoints")
    guard others.isEmpty, checkpoints.isEmpty else {
      throw Failure(
        "the folder '\(folder)' is not empty any more",
        details: ["in it: \((others + checkpoints).prefix(12).joined(separator: ", "))"],
        hints: ["choose another --output; nothing is overwritten"])
    }
    return opened
  }

  /// The folder that `checkpoints/latest` points to, so that everything is read from one and the same checkpoint.
  private static func latestCheckpoint(_ folder: String) throws -> String? {
    let link = folder + "/checkpoints/latest"
    guard Folder.exists(link) else { return nil }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = buffer.withUnsafeMutableBytes { bytes in
      bytes.baseAddress.map { readlink(link, $0, bytes.count) } ?? -1
    }
    // A copy of a run may have a folder where the link was.
    guard length > 0 else { return link }
    let target = String(decoding: buffer.prefix(length), as: UTF8.self)
    return target.hasPrefix("/") ? target : folder + "/checkpoints/" + target
  }

  /// A folder for a new run, or a new sweep: not there yet, or empty.
  static func checkedOutput(_ path: String) throws -> String {
    guard Folder.exists(path) else { return path }
    guard Folder.isFolder(path) else { throw FileError.wrongKind(path: path, expected: "a folder") }
    if SweepFolder.isSweep(path) {
      throw Failure(
        "'\(path)' is a sweep already",
        hints: ["nibble sweep \(path) continues it; choose another --output for a new one"])
    }
    if RunFolder.isRun(path) {
      throw Failure(
        "'\(path)' is a run already",
        hints: ["nibble train \(path) continues it; choose another --output for a new one"])
    }
    let names = try Folder.names(in: path)
    guard names.isEmpty else {
      throw Failure(
        "the folder '\(path)' is not empty", details: ["in it: \(names.prefix(12).joined(separator: ", "))"],
        hints: ["choose another --output; nothing is overwritten"])
    }
    return path
  }

  /// `runs/<date>-<name>-<n>`, the first n that is free.
  static func freeFolder(_ name: String, in parent: String = "runs") -> String {
    let safe = String(
      name.map { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == "." ? $0 : "-" }.prefix(60))
    let stem = "\(parent)/\(Timestamp.today())-\(safe)"
    var number = 1
    while Folder.exists("\(stem)-\(number)") { number += 1 }
    return "\(stem)-\(number)"
  }
}
