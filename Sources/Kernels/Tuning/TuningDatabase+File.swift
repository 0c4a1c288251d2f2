import CKernelSources
public import Files
import Glibc

extension TuningDatabase {
  private static let schema = 1

  /// What `kernels/tuning.json` says, embedded in the program.
  public static let shipped: TuningDatabase = {
    let bytes = UnsafeRawBufferPointer(start: nibble_tuning_text(), count: nibble_tuning_length())
    do {
      return try TuningDatabase(JSON.parse(Array(bytes), source: "kernels/tuning.json"))
    } catch {
      preconditionFailure("the embedded tuning database: \(error)")
    }
  }()

  /// The user's file: `NIBBLE_TUNING`, or `tuning.json` in `$XDG_CONFIG_HOME/nibble`, or in `~/.config/nibble`.
  ///
  /// Nil when tuning is `off` or there is no home.
  public static func userPath() -> String? {
    if let value = EnvironmentVariable.tuning.value { return value == "off" ? nil : value }
    let home = getenv("HOME").map { String(cString: $0) }
    let base = getenv("XDG_CONFIG_HOME").map { String(cString: $0) } ?? home.map { $0 + "/.config" }
    return base.map { $0 + "/nibble/tuning.json" }
  }

  /// The shipped entries with the user's on top; nothing when `NIBBLE_TUNING` is `off`.
  ///
  /// - Throws: ``KernelError/damagedTuning(path:problem:)`` for a user's file that does not read, or that
  ///   `NIBBLE_TUNING` names and that is not there.
  public static func load() throws -> TuningDatabase {
    let named = EnvironmentVariable.tuning.value
    if named == "off" { return TuningDatabase() }
    guard let path = userPath(), named != nil || Folder.exists(path) else { return shipped }
    guard Folder.exists(path) else { throw KernelError.damagedTuning(path: path, problem: "no such file") }
    return shipped.overlaid(with: try TuningDatabase(path: path))
  }

  /// Reads a file.
  public init(path: String) throws {
    let json: JSON
    do {
      json = try JSON.read(path)
    } catch {
      throw KernelError.damagedTuning(path: path, problem: "\(error)")
    }
    do {
      try self.init(json)
    } catch {
      throw KernelError.damagedTuning(path: path, problem: error.problem)
    }
  }

  /// Replaces the file atomically; makes its folder when there is none.
  public func write(to path: String) throws {
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      try Folder.create(String(path[..<slash]))
    }
    try json.write(to: path)
  }

  struct Unreadable: Error { let problem: String }

  init(_ json: JSON) throws(Unreadable) {
    guard json["schema"]?.integerValue == Self.schema else {
      throw Unreadable(problem: "'schema' is not \(Self.schema)")
    }
    guard let list = json["entries"]?.arrayValue else { throw Unreadable(problem: "'entries' is no list") }
    var entries: [Entry] = []
    for (number, item) in list.enumerated() {
      guard let entry = Entry(item) else { throw Unreadable(problem: "entry \(number) lacks a member") }
      entries.append(entry)
    }
    self.init(entries: entries)
  }

  var json: JSON {
    ["schema": .integer(Int64(Self.schema)), "entries": .array(entries.map(\.json))]
  }
}

extension TuningDatabase.Entry {
  init?(_ json: JSON) {
    guard let family = json["family"]?.stringValue, let problem = json["problem"]?.stringValue,
      let device = json["device"]?.stringValue, let architecture = json["architecture"]?.stringValue,
      let members = json["parameters"]?.objectValue, let gflops = json["gflops"]?.doubleValue,
      let standard = json["standard_gflops"]?.doubleValue, let date = json["date"]?.stringValue
    else { return nil }
    var parameters: [String: Int] = [:]
    for member in members {
      guard let value = member.value.integerValue else { return nil }
      parameters[member.key] = value
    }
    self.init(
      key: TuningKey(family: family, problem: problem), device: device, architecture: architecture,
      parameters: parameters, gflops: gflops, standardGflops: standard, date: date)
  }

  /// As it stands in the file.
  public var json: JSON {
    let sorted = parameters.sorted { $0.key < $1.key }.map {
      (key: $0.key, value: JSON.integer(Int64($0.value)))
    }
    return [
      "family": .string(key.family), "problem": .string(key.problem), "device": .string(device),
      "architecture": .string(architecture), "parameters": .object(JSONObject(sorted)),
      "gflops": .number(gflops), "standard_gflops": .number(standardGflops), "date": .string(date),
    ]
  }
}
