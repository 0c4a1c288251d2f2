import Glibc
import Terminal

/// Reads small text files whole.
enum TextFile {
  /// Why a file could not be read.
  enum Failure: Error {
    case system(errorNumber: Int32)
    case tooLarge(limit: Int)
    case notUTF8
    case isFolder
  }

  static func read(_ path: String, limit: Int) throws(Failure) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errorNumber: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw errno == EISDIR ? .isFolder : .system(errorNumber: errno)
      }
      if count == 0 { break }
      bytes.append(contentsOf: buffer[..<count])
      guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
    return text
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The report for a file that could not be read, with what is in its folder.
  static func report(_ failure: Failure, path: String, purpose: String) -> ErrorReport {
    switch failure {
    case .system(let number):
      return ErrorReport(
        "cannot read \(purpose) '\(path)': \(systemMessage(number))",
        hints: number == ENOENT ? neighbours(of: path) : [])
    case .tooLarge(let limit):
      return ErrorReport("\(purpose) '\(path)' has more than \(limit) bytes, too many for a configuration")
    case .notUTF8: return ErrorReport("\(purpose) '\(path)' is not UTF-8 text")
    case .isFolder:
      return ErrorReport("\(purpose) '\(path)' is a folder", hints: names(inFolder: path).map { [$0] } ?? [])
    }
  }

  /// What is in the folder of a missing file: the nearest name, or the configurations there.
  private static func neighbours(of path: String) -> [String] {
    let folder = Paths.folder(of: path)
    let missing = Paths.name(of: path)
    let entries = list(folder.isEmpty ? "." : folder)
    if let near = nearestName(to: missing, in: entries) {
      return ["did you mean '\(Paths.joined(folder, near))'?"]
    }
    return names(inFolder: folder.isEmpty ? "." : folder).map { [$0] } ?? []
  }

  private static func names(inFolder folder: String) -> String? {
    let files = list(folder).filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }
    guard !files.isEmpty else { return nil }
    let shown = files.prefix(10).joined(separator: ", ") + (files.count > 10 ? ", ..." : "")
    return "configurations in '\(folder)': \(shown)"
  }

  private static func list(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
      if names.count >= 1000 { break }
    }
    return names.sorted()
  }
}

/// Paths as texts.
enum Paths {
  /// What stands before the last slash; empty for none.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func name(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    return String(path[path.index(after: slash)...])
  }

  /// A path relative to a folder, unless it is absolute.
  static func joined(_ folder: String, _ path: String) -> String {
    if folder.isEmpty || path.hasPrefix("/") { return path }
    return folder.hasSuffix("/") ? folder + path : folder + "/" + path
  }
}
