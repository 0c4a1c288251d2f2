import Glibc

/// A file mapped into memory for reading: pages are loaded when touched, nothing is copied.
///
/// A file that another process shortens while it is mapped ends this process on access (SIGBUS);
/// the writers of this module replace files by renaming and never shorten them.
public final class MappedFile: @unchecked Sendable {
  // Sendable: both pointers are constants and the pages are read-only for the object's life.

  /// The path as it was given.
  public let path: String
  private let memory: UnsafeRawBufferPointer

  /// Maps a regular file; an empty one is fine.
  ///
  /// - Throws: `FileError.missing` naming what the folder holds, `wrongKind`, `refused`.
  public init(path: String) throws(FileError) {
    self.path = path
    let descriptor = try FileDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK, for: "open")
    let status = try descriptor.status(path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw .wrongKind(path: path, expected: "a regular file") }
    guard let size = Int(exactly: status.st_size), size > 0 else {
      memory = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor.number, 0), address != MAP_FAILED
    else { throw .fromErrno("map", path) }
    memory = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    if let address = memory.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: address), memory.count)
    }
  }

  /// Size in bytes.
  public var count: Int { memory.count }

  /// Gives the whole file to `body`; the span must not leave it.
  public func withBytes<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result,
  ) throws(Failure) -> Result {
    try body(Span(_unsafeBytes: memory))
  }

  /// Gives a part of the file to `body`.
  ///
  /// - Throws: `FileError.outOfBounds` when the file is shorter, and what `body` throws.
  public func withBytes<Result>(in range: Range<Int>, _ body: (Span<UInt8>) throws -> Result) throws -> Result
  {
    try body(Span(_unsafeBytes: try slice(range)))
  }

  /// Gives a part of the file as raw memory, for C calls and device uploads.
  public func withUnsafeBytes<Result>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result,
  ) throws -> Result {
    try body(try slice(range))
  }

  /// A copy of a part of the file.
  public func bytes(in range: Range<Int>) throws(FileError) -> [UInt8] {
    Array(try slice(range))
  }

  private func slice(_ range: Range<Int>) throws(FileError) -> UnsafeRawBufferPointer {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw .outOfBounds(path: path, range: range, size: count)
    }
    return UnsafeRawBufferPointer(rebasing: memory[range])
  }
}
