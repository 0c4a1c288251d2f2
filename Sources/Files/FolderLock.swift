import Glibc

/// The right to write in a folder, held by one process at a time.
///
/// The lock is the kernel's (`flock` on `.nibble.lock` in the folder): it ends with the object or with the
/// process, so nothing stale can stay behind. The file says who holds it.
public final class FolderLock {
  /// The locked folder.
  public let folder: String

  private let file: String
  private let descriptor: FileDescriptor

  /// Takes the lock at once or fails.
  ///
  /// - Throws: `FileError.locked` naming process and host of the holder; other `FileError`s when the
  ///   folder is missing or cannot be written.
  public init(folder: String) throws(FileError) {
    self.folder = folder
    file = Folder.withoutTrailingSlash(folder) + "/.nibble.lock"
    descriptor = try Self.lockedDescriptor(file, folder)
    let text = Array("process \(getpid()) on \(Self.hostName())\n".utf8)
    guard ftruncate(descriptor.number, 0) == 0 else { throw .fromErrno("write", file) }
    try text.span.withUnsafeBytes { raw throws(FileError) in
      try descriptor.write(raw, to: file, written: 0)
    }
  }

  deinit {
    // Removed while still locked, so that whoever opened it meanwhile sees that it is not the file any more.
    unlink(file)
  }

  private static func lockedDescriptor(_ file: String, _ folder: String) throws(FileError) -> FileDescriptor {
    while true {
      let descriptor = try FileDescriptor(opening: file, flags: O_RDWR | O_CREAT, for: "create")
      if flock(descriptor.number, LOCK_EX | LOCK_NB) != 0 {
        if errno == EINTR { continue }
        guard errno == EWOULDBLOCK else { throw .fromErrno("lock", file) }
        throw .locked(folder: folder, holder: holder(descriptor))
      }
      // The previous holder may have removed the file between our opening and our locking it.
      var named = stat()
      let ours = try descriptor.status(file)
      if stat(file, &named) == 0, named.st_ino == ours.st_ino, named.st_dev == ours.st_dev {
        return descriptor
      }
    }
  }

  private static func holder(_ descriptor: borrowing FileDescriptor) -> String {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = pread(descriptor.number, &bytes, bytes.count, 0)
    let line = bytes.prefix(max(0, count)).prefix { $0 != 0x0A }
    return line.isEmpty ? "a process that has not yet signed the lock" : String(decoding: line, as: UTF8.self)
  }

  private static func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "an unnamed host" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
