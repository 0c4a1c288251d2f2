import Glibc

/// The few questions and acts about folders and paths that the writers and readers here share.
public enum Folder {
  /// The names in a folder, sorted by their bytes, without "." and "..".
  public static func names(in path: String) throws(FileError) -> [String] {
    guard let folder = opendir(path) else { throw .fromErrno("list", path) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Whether anything has this path; a link that leads nowhere counts.
  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// Whether this path leads to a folder.
  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Creates a folder and the missing ones above it.
  public static func create(_ path: String) throws(FileError) {
    if isFolder(path) { return }
    let parent = parent(of: path)
    if parent != path { try create(parent) }
    if mkdir(path, 0o777) != 0, !(errno == EEXIST && isFolder(path)) { throw .fromErrno("create", path) }
  }

  /// Removes a file, or a folder with everything in it; links are removed, not followed.
  public static func remove(_ path: String) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw .fromErrno("remove", path)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      if unlink(path) != 0 { throw .fromErrno("remove", path) }
      return
    }
    for name in try names(in: path) { try remove(path + "/" + name) }
    if rmdir(path) != 0 { throw .fromErrno("remove", path) }
  }

  /// The folder a path lies in: "." for a bare name.
  public static func parent(of path: String) -> String {
    let trimmed = withoutTrailingSlash(path)
    guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == trimmed.startIndex ? "/" : withoutTrailingSlash(String(trimmed[..<slash]))
  }

  /// The last part of a path.
  static func name(of path: String) -> String {
    let trimmed = withoutTrailingSlash(path)
    guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return trimmed }
    return String(trimmed[trimmed.utf8.index(after: slash)...])
  }

  static func withoutTrailingSlash(_ path: String) -> String {
    var result = Substring(path)
    while result.utf8.count > 1, result.utf8.last == UInt8(ascii: "/") { result.removeLast() }
    return String(result)
  }

  /// A name beside `path` that nobody uses, hidden, with our process in it.
  static func temporaryName(beside path: String) -> String {
    let mark = String(UInt32.random(in: .min ... .max), radix: 16)
    return "\(parent(of: path))/.\(name(of: path)).\(getpid())-\(mark).tmp"
  }

  /// What lies in the folder of a missing file, for its error message.
  static func describe(parentOf path: String) -> String {
    let parent = parent(of: path)
    guard let names = try? names(in: parent) else { return "the folder '\(parent)' cannot be read either" }
    if names.isEmpty { return "the folder '\(parent)' is empty" }
    let shown = names.prefix(12).joined(separator: ", ")
    return "in '\(parent)': \(shown)" + (names.count > 12 ? " and \(names.count - 12) more" : "")
  }

  /// Makes renames and new names in a folder survive a power failure.
  static func synchronize(_ path: String) throws(FileError) {
    let descriptor = try FileDescriptor(opening: path, flags: O_RDONLY | O_DIRECTORY, for: "open")
    // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do on them.
    if fsync(descriptor.number) != 0, errno != EINVAL { throw .fromErrno("synchronize", path) }
  }

  /// Renames a file, replacing nothing: fails with `exists` when the target is there.
  static func renameFileWithoutReplacing(_ source: String, to target: String) throws(FileError) {
    // A hard link refuses an existing name in one step, which `rename` cannot.
    if link(source, target) == 0 {
      unlink(source)
      return
    }
    if errno == EEXIST { throw .exists(path: target) }
    // File systems without hard links (FAT, some network ones): look first, which leaves a short gap.
    guard errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK else {
      throw .fromErrno("rename to", target)
    }
    if exists(target) { throw .exists(path: target) }
    if rename(source, target) != 0 { throw .fromErrno("rename to", target) }
  }

  /// Renames a folder, replacing nothing: fails with `exists` when the target is there.
  static func renameFolderWithoutReplacing(_ source: String, to target: String) throws(FileError) {
    if exists(target) { throw .exists(path: target) }
    if rename(source, target) == 0 { return }
    // Somebody was faster: the system replaces at most an empty folder.
    if errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR { throw .exists(path: target) }
    throw .fromErrno("rename to", target)
  }
}
