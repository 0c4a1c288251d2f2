import Engine
import Files
import Terminal

/// The file of `--timeline`.
enum TimelineFile {
  /// Refuses a file that would be replaced, before anything is measured.
  static func check(_ path: String, overwrites: Bool) throws {
    if Folder.isFolder(path) {
      throw UsageError("--timeline \(path) is a folder", hints: ["give a file's name"])
    }
    let folder = Folder.parent(of: path)
    guard Folder.isFolder(folder) else {
      throw UsageError("--timeline \(path): there is no folder \(folder)", hints: ["mkdir -p \(folder)"])
    }
    guard Folder.exists(path), !overwrites else { return }
    throw UsageError("--timeline \(path) exists already", hints: ["--overwrite, or another name"])
  }

  static func write(_ timeline: StepTimeline, to path: String, overwrites: Bool) throws {
    try timeline.json.write(to: path, .compact, overwrite: overwrites)
  }
}
