import Glibc

/// Why a file or a folder could not be read, written or locked.
public enum FileError: Error, Sendable, Equatable {
  /// The file is not there; `folder` says what is.
  case missing(path: String, folder: String)
  /// The system refused an operation; `code` is its `errno`.
  case refused(operation: String, path: String, code: Int32)
  /// The disk, or the quota, is full. Nothing incomplete is left behind.
  case diskFull(path: String, bytesWritten: Int)
  /// The target exists and overwriting was not asked for.
  case exists(path: String)
  /// A folder or a device where a file belongs, or the other way round.
  case wrongKind(path: String, expected: String)
  /// A range of bytes beyond the end of the file.
  case outOfBounds(path: String, range: Range<Int>, size: Int)
  /// Another process holds the lock of a folder.
  case locked(folder: String, holder: String)
  /// Use of a writer after it failed or was finished.
  case closed(path: String)
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path, let folder):
      """
      cannot open '\(path)': there is no such file
        \(folder)
        hint: check the spelling of the path
      """
    case .refused(let operation, let path, let code):
      """
      cannot \(operation) '\(path)': \(String(cString: strerror(code)))
        errno: \(code)
        hint: check the path, its permissions and the state of the disk
      """
    case .diskFull(let path, let bytesWritten):
      """
      cannot write '\(path)': the disk or the quota is full
        written before that: \(bytesWritten) bytes; the incomplete file was removed
        hint: free some space or choose another folder
      """
    case .exists(let path):
      """
      cannot write '\(path)': it exists already
        nothing was changed
        hint: choose another path, or ask for overwriting
      """
    case .wrongKind(let path, let expected):
      """
      cannot use '\(path)': it is not \(expected)
        expected: \(expected)
        hint: check the path
      """
    case .outOfBounds(let path, let range, let size):
      """
      cannot read bytes \(range.lowerBound)..<\(range.upperBound) of '\(path)'
        size: \(size) bytes
        hint: the file may be cut off; compare its size with the original's
      """
    case .locked(let folder, let holder):
      """
      cannot use the folder '\(folder)': another process works in it
        holder: \(holder)
        hint: wait for it or stop it, or choose another folder; the lock ends with the process
      """
    case .closed(let path):
      """
      cannot write '\(path)': its writer has failed or was finished
        nothing was changed
        hint: create a new writer
      """
    }
  }
}

extension FileError {
  /// The error of the last failed system call on `path`.
  static func fromErrno(_ operation: String, _ path: String) -> FileError {
    let code = errno
    return code == ENOENT
      ? .missing(path: path, folder: Folder.describe(parentOf: path))
      : .refused(operation: operation, path: path, code: code)
  }
}
