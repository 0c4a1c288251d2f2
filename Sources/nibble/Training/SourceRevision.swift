import Files
import Glibc

/// The commit of Nibble's source: of the checkout that the program lies in, as after a build.
///
/// The program may be older than the checkout; its version is recorded beside.
struct SourceRevision {
  let commit: String
  let isModified: Bool

  var short: String { String(commit.prefix(7)) }

  /// Nil for an installed program, and without git.
  static func current() -> SourceRevision? {
    guard let folder = programFolder(), let top = line(git("rev-parse --show-toplevel", in: folder)),
      // A program that was copied into somebody's own repository has nothing to do with its commits.
      Folder.exists(top + "/Sources/nibble/Nibble.swift"),
      let commit = line(git("rev-parse HEAD", in: top)), commit.count >= 40,
      let changes = git("status --porcelain --untracked-files=no", in: top)
    else { return nil }
    return SourceRevision(commit: commit, isModified: !changes.isEmpty)
  }

  /// The folder of the running program.
  private static func programFolder() -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = buffer.withUnsafeMutableBytes { bytes in
      bytes.baseAddress.map { readlink("/proc/self/exe", $0, bytes.count) } ?? -1
    }
    let path = buffer.prefix(max(0, length))
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    return String(decoding: path[..<slash], as: UTF8.self)
  }

  private static func line(_ text: String?) -> String? {
    text?.split(separator: "\n").first.map(String.init)
  }

  /// What git prints about a folder; a repository's own monitor is not run.
  private static func git(_ words: String, in folder: String) -> String? {
    let quoted =
      "'" + folder.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    return output(of: "git -c core.fsmonitor=false -C \(quoted) \(words) 2>/dev/null")
  }

  private static func output(of command: String) -> String? {
    guard let stream = popen(command, "r") else { return nil }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = fread(&buffer, 1, buffer.count, stream)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    guard pclose(stream) == 0 else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
