import Files
import Terminal

/// A file that an option names and that is written at the end of a long call.
struct OutputFile {
  /// `--timeline`.
  let option: String
  let path: String
  let overwrites: Bool

  /// Refuses what could not be written, before anything is measured.
  func check() throws {
    if Folder.isFolder(path) {
      throw UsageError("\(option) \(path) is not a file but a folder", hints: ["give a file's name"])
    }
    let folder = Folder.parent(of: path)
    guard Folder.isFolder(folder) else {
      throw UsageError("\(option) \(path): there is no folder \(folder)", hints: ["mkdir -p \(folder)"])
    }
    guard Folder.exists(path), !overwrites else { return }
    throw UsageError("\(option) \(path) exists already", hints: ["--overwrite, or another name"])
  }

  func write(_ text: String) throws {
    try AtomicFile.write(Array(text.utf8), to: path, overwrite: overwrites)
  }

  func write(_ json: JSON) throws { try json.write(to: path, .compact, overwrite: overwrites) }
}
