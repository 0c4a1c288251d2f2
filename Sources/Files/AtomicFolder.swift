import Glibc

/// A folder that appears under its name only when everything in it is complete and on the disk.
///
/// Put files into `temporaryPath`, then call `finish`. Without it the temporary folder is removed.
public final class AtomicFolder {
  /// The final path.
  public let path: String
  /// Where the content is built: a hidden folder beside the final one.
  public let temporaryPath: String

  private let overwrite: Bool
  private var isOpen = false

  /// Creates the temporary folder.
  ///
  /// - Parameters:
  ///   - path: The final path; folders above it are created.
  ///   - overwrite: Whether a folder of that name may be replaced as a whole.
  /// - Throws: `FileError`; `exists` when the path is taken and must not be overwritten.
  public init(path: String, overwrite: Bool = false) throws(FileError) {
    self.path = Folder.withoutTrailingSlash(path)
    self.overwrite = overwrite
    temporaryPath = Folder.temporaryName(beside: path)
    if Folder.exists(self.path) {
      guard overwrite else { throw .exists(path: path) }
      guard Folder.isFolder(self.path) else { throw .wrongKind(path: path, expected: "a folder") }
    }
    try Folder.create(Folder.parent(of: path))
    if mkdir(temporaryPath, 0o777) != 0 { throw .fromErrno("create", temporaryPath) }
    isOpen = true
  }

  deinit {
    // A deinit cannot report; a folder left behind has a hidden name ending in .tmp.
    if isOpen { try? Folder.remove(temporaryPath) }
  }

  /// Syncs the content and gives the folder its name; an old one is removed afterwards.
  public func finish() throws(FileError) {
    guard isOpen else { throw .closed(path: path) }
    do {
      try Self.synchronizeTree(temporaryPath)
      if overwrite, Folder.exists(path) {
        try replace()
      } else {
        try Folder.renameFolderWithoutReplacing(temporaryPath, to: path)
      }
    } catch {
      isOpen = false
      try? Folder.remove(temporaryPath)
      throw error
    }
    isOpen = false
    try Folder.synchronize(Folder.parent(of: path))
  }

  /// Moves the old folder aside, the new one in, and removes the old one.
  ///
  /// Between the two renames the name is free for a moment; a crash right there leaves both folders
  /// whole under hidden names.
  private func replace() throws(FileError) {
    let old = Folder.temporaryName(beside: path)
    if rename(path, old) != 0 { throw .fromErrno("rename", path) }
    if rename(temporaryPath, path) != 0 {
      let error = FileError.fromErrno("rename to", path)
      // Put the old folder back; if that fails too, it keeps its hidden name.
      _ = rename(old, path)
      throw error
    }
    try Folder.remove(old)
  }

  private static func synchronizeTree(_ folder: String) throws(FileError) {
    for name in try Folder.names(in: folder) {
      let path = folder + "/" + name
      var status = stat()
      guard lstat(path, &status) == 0 else { throw .fromErrno("examine", path) }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try synchronizeTree(path)
      case S_IFREG:
        let descriptor = try FileDescriptor(opening: path, flags: O_RDONLY, for: "open")
        try descriptor.synchronize(path, written: Int(status.st_size))
      default: break
      }
    }
    try Folder.synchronize(folder)
  }
}
