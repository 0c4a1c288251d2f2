import Configuration
import Engine
import Files
import Terminal

/// What the positional argument of `train` is.
enum RunObject {
  case nothing
  case configuration(String)
  case run(String)
  case text(String)

  init(_ path: String?) throws {
    guard let path else {
      self = .nothing
      return
    }
    let lowered = path.lowercased()
    if lowered.hasSuffix(".yaml") || lowered.hasSuffix(".yml") {
      // Opening tells what the folder has when the file is missing.
      if !Folder.exists(path) { _ = try MappedFile(path: path) }
      self = .configuration(path)
    } else if Folder.isFolder(path) {
      self = try RunObject.folder(path)
    } else if DataFormat(path: path) != nil {
      if !Folder.exists(path) { _ = try MappedFile(path: path) }
      self = .text(path)
    } else if Presets.names.contains(path) {
      throw UsageError(
        "'\(path)' is a shipped configuration, not a file", hints: ["nibble train preset=\(path)"])
    } else {
      if !Folder.exists(path) { _ = try MappedFile(path: path) }
      throw UsageError(
        "'\(path)' is neither a configuration, nor a run, nor text",
        hints: ["configurations end in .yaml, texts in .txt, .jsonl or .bin; settings are written key=value"])
    }
  }

  private static func folder(_ path: String) throws -> RunObject {
    if RunFolder.isRun(path) {
      return .run(path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path)
    }
    if SweepFolder.isSweep(path) {
      throw UsageError("'\(path)' is a sweep, not a run", hints: ["nibble sweep \(path)"])
    }
    if Folder.exists(path + "/config.json") {
      throw UsageError(
        "'\(path)' is a model, not a run",
        hints: ["nibble train init=\(path) --data FILE starts from its weights"])
    }
    return .text(path)
  }

  /// The last part of a path without its ending.
  static func baseName(_ path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? "run"
    guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
    return String(last[..<dot])
  }

  /// Bytes of a file, or of the data files of a folder; 0 where they cannot be told.
  static func byteCount(_ path: String) -> Int {
    guard Folder.isFolder(path) else { return (try? MappedFile(path: path).count) ?? 0 }
    let names = (try? Folder.names(in: path)) ?? []
    return names.filter { DataFormat(path: $0) != nil }.reduce(0) { $0 + byteCount(path + "/" + $1) }
  }
}
