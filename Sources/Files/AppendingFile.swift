import Glibc

/// A file that grows line by line: logs and metrics.
///
/// What was appended survives a crash of this process.
public final class AppendingFile {
  public let path: String
  private let descriptor: FileDescriptor
  private var written = 0

  /// Opens the file at its end; makes it when missing.
  public init(path: String) throws(FileError) {
    descriptor = try FileDescriptor(opening: path, flags: O_WRONLY | O_CREAT | O_APPEND, for: "append to")
    self.path = path
  }

  public func append(_ bytes: [UInt8]) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { buffer in
      do throws(FileError) {
        try descriptor.write(buffer, to: path, written: written)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    written += bytes.count
  }
}
