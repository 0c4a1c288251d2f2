import Glibc

/// A file that appears under its name only when it is complete and on the disk.
///
/// Bytes go to a hidden temporary file beside the target; `finish` syncs it, renames it and syncs the
/// folder. Without `finish`, or after an error, the temporary file is removed and the target is as it was.
public final class AtomicFile {
  /// The final path.
  public let path: String
  /// Bytes appended so far.
  public private(set) var count = 0

  private let temporary: String
  private let overwrite: Bool
  private let descriptor: FileDescriptor
  private var pending: [UInt8] = []
  private var isOpen = true

  private static let chunk = 1 << 18

  /// Opens the temporary file.
  ///
  /// - Parameters:
  ///   - path: The final path; its folder must exist.
  ///   - overwrite: Whether a file of that name may be replaced. If not, its presence is an error now
  ///     and again when finishing.
  /// - Throws: `FileError`.
  public convenience init(path: String, overwrite: Bool = true) throws(FileError) {
    if Folder.isFolder(path) { throw .wrongKind(path: path, expected: "a file") }
    if !overwrite, Folder.exists(path) { throw .exists(path: path) }
    let temporary = Folder.temporaryName(beside: path)
    try self.init(
      path: path, temporary: temporary, overwrite: overwrite,
      descriptor: FileDescriptor(opening: temporary, flags: O_WRONLY | O_CREAT | O_EXCL, for: "create"))
  }

  init(
    path: String, temporary: String, overwrite: Bool, descriptor: consuming FileDescriptor,
  ) throws(FileError) {
    self.path = path
    self.temporary = temporary
    self.overwrite = overwrite
    self.descriptor = descriptor
  }

  deinit {
    if isOpen { unlink(temporary) }
  }

  /// Writes `bytes` as the whole content of `path`.
  public static func write(
    _ bytes: [UInt8], to path: String, overwrite: Bool = true,
  ) throws(FileError) {
    let file = try AtomicFile(path: path, overwrite: overwrite)
    try file.append(bytes)
    try file.finish()
  }

  /// Appends bytes; small pieces are gathered.
  ///
  /// - Throws: `FileError.diskFull` or `refused`, after which the file is given up.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    try append(bytes.span)
  }

  /// Appends bytes that somebody else owns.
  public func append(_ bytes: Span<UInt8>) throws(FileError) {
    try bytes.withUnsafeBytes { raw throws(FileError) in try append(raw) }
  }

  /// Appends raw memory.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try guarded { () throws(FileError) in
      if bytes.count >= Self.chunk {
        try flush()
        try descriptor.write(bytes, to: path, written: count)
      } else {
        pending.append(contentsOf: bytes)
        if pending.count >= Self.chunk { try flush() }
      }
    }
    count += bytes.count
  }

  /// Syncs the content and gives the file its name; the writer is closed afterwards.
  public func finish() throws(FileError) {
    try guarded { () throws(FileError) in
      try flush()
      try descriptor.synchronize(path, written: count)
      if overwrite {
        if rename(temporary, path) != 0 { throw .fromErrno("rename to", path) }
      } else {
        try Folder.renameFileWithoutReplacing(temporary, to: path)
      }
    }
    isOpen = false
    try Folder.synchronize(Folder.parent(of: path))
  }

  private func flush() throws(FileError) {
    let bytes = pending
    pending.removeAll(keepingCapacity: false)
    let written = count - bytes.count
    try bytes.span.withUnsafeBytes { raw throws(FileError) in
      try descriptor.write(raw, to: path, written: max(0, written))
    }
  }

  /// Runs a step; if it fails, the temporary file goes at once.
  private func guarded(_ step: () throws(FileError) -> Void) throws(FileError) {
    guard isOpen else { throw .closed(path: path) }
    do {
      try step()
    } catch {
      isOpen = false
      unlink(temporary)
      throw error
    }
  }
}
