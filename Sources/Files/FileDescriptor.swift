import Glibc

/// An open file with one owner; closed at the end of its scope.
struct FileDescriptor: ~Copyable {
  let number: Int32

  init(opening path: String, flags: Int32, for operation: String) throws(FileError) {
    var result: Int32
    repeat { result = open(path, flags | O_CLOEXEC, 0o666) } while result < 0 && errno == EINTR
    guard result >= 0 else { throw .fromErrno(operation, path) }
    number = result
  }

  deinit {
    close(number)
  }

  /// Size and kind.
  func status(_ path: String) throws(FileError) -> stat {
    var result = stat()
    guard fstat(number, &result) == 0 else { throw .fromErrno("examine", path) }
    return result
  }

  /// Writes everything; `written` is what earlier calls have put out, for the message.
  func write(_ bytes: UnsafeRawBufferPointer, to path: String, written: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = Glibc.write(number, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.writeError(path, written + done)
      }
      done += count
    }
  }

  /// Brings everything written to the disk.
  func synchronize(_ path: String, written: Int) throws(FileError) {
    // EINVAL: something that cannot be synced, such as a pipe.
    if fsync(number) != 0, errno != EINVAL { throw Self.writeError(path, written) }
  }

  private static func writeError(_ path: String, _ written: Int) -> FileError {
    errno == ENOSPC || errno == EDQUOT
      ? .diskFull(path: path, bytesWritten: written) : .fromErrno("write", path)
  }
}
