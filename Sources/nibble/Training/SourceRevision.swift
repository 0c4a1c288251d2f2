import Glibc

/// The commit of the working directory, when it is a git checkout.
struct SourceRevision {
  let commit: String
  let isModified: Bool

  var short: String { String(commit.prefix(7)) }

  /// Nil outside a checkout, or without git.
  static func current() -> SourceRevision? {
    guard let commit = output(of: "git rev-parse HEAD 2>/dev/null"), commit.count >= 40 else { return nil }
    let changes = output(of: "git status --porcelain --untracked-files=no 2>/dev/null") ?? ""
    return SourceRevision(commit: String(commit.prefix(40)), isModified: !changes.isEmpty)
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
