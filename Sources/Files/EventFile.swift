import Glibc

/// A TensorBoard event file that scalars are appended to.
///
/// Every record goes to the file in one write, so a reader beside us sees whole records and a crash
/// tears at most the last one; opening the file again cuts a torn record off.
public final class EventFile {
  /// One named number of a step.
  public struct Scalar: Sendable, Hashable {
    public let tag: String
    public let value: Float

    public init(_ tag: String, _ value: Float) {
      self.tag = tag
      self.value = value
    }
  }

  /// The path of the file.
  public let path: String
  /// Bytes of a torn last record that were cut off on opening; 0 for a healthy or new file.
  public let discardedByteCount: Int

  private let descriptor: FileDescriptor
  private var byteCount: Int

  /// Opens a file for appending, or creates it with its version record.
  ///
  /// - Parameters:
  ///   - path: The file; TensorBoard looks for "tfevents" in its name.
  ///   - wallTime: Seconds since 1970 for the version record of a new file.
  /// - Throws: `FileError`; `EventFileError` when the file holds something else.
  public init(path: String, wallTime: Double) throws {
    self.path = path
    descriptor = try FileDescriptor(opening: path, flags: O_RDWR | O_CREAT | O_APPEND, for: "open")
    let size = Int(try descriptor.status(path).st_size)
    byteCount = 0
    let whole = size == 0 ? 0 : try Self.wholeRecords(path)
    discardedByteCount = size - whole
    byteCount = whole
    if whole < size, ftruncate(descriptor.number, off_t(whole)) != 0 {
      throw FileError.fromErrno("cut", path)
    }
    if whole == 0 { try write(Self.versionEvent(wallTime)) }
  }

  /// The name TensorBoard expects: `events.out.tfevents.<seconds>.<host>`.
  public static func fileName(startedAt seconds: Int, host: String) -> String {
    let digits = String(seconds)
    let padding = String(repeating: "0", count: max(0, 10 - digits.count))
    return "events.out.tfevents.\(padding)\(digits).\(host)"
  }

  /// Appends the scalars of one step as one event.
  ///
  /// - Parameters:
  ///   - step: The training step.
  ///   - wallTime: Seconds since 1970.
  ///   - scalars: What to show; NaN and infinities are allowed.
  /// - Throws: `FileError`.
  public func append(step: Int, wallTime: Double, _ scalars: [Scalar]) throws(FileError) {
    var event = ProtobufMessage()
    event.add(1, double: wallTime)
    event.add(2, integer: Int64(step))
    var summary = ProtobufMessage()
    for scalar in scalars {
      var value = ProtobufMessage()
      value.add(1, string: scalar.tag)
      value.add(2, float: scalar.value)
      summary.add(1, message: value)
    }
    event.add(5, message: summary)
    try write(event.bytes)
  }

  /// Brings everything appended to the disk.
  public func synchronize() throws(FileError) {
    try descriptor.synchronize(path, written: byteCount)
  }

  private static func versionEvent(_ wallTime: Double) -> [UInt8] {
    var event = ProtobufMessage()
    event.add(1, double: wallTime)
    event.add(3, string: "brain.Event:2")
    return event.bytes
  }

  private func write(_ payload: [UInt8]) throws(FileError) {
    let record = TensorFlowRecord.framed(payload)
    try record.span.withUnsafeBytes { raw throws(FileError) in
      try descriptor.write(raw, to: path, written: byteCount)
    }
    byteCount += record.count
  }

  /// The length of the leading whole records; the first one must be a version record.
  private static func wholeRecords(_ path: String) throws -> Int {
    let file = try MappedFile(path: path)
    var end = 0
    while let payload = try TensorFlowRecord.payload(at: end, of: file) {
      if end == 0 {
        let version = Array("brain.Event:2".utf8)
        guard Array(payload.suffix(version.count)) == version else {
          throw EventFileError.notAnEventFile(path: path)
        }
      }
      end += payload.count + TensorFlowRecord.overhead
    }
    // Nothing whole: only the torn beginning of our own version record may be cut off.
    let head = TensorFlowRecord.framed(versionEvent(0)).prefix(12)
    let start = try file.bytes(in: 0..<min(12, file.count))
    if end == 0, file.count >= 64 || start != Array(head.prefix(file.count)) {
      throw EventFileError.notAnEventFile(path: path)
    }
    return end
  }
}

/// Why an existing file cannot be continued as an event file.
public enum EventFileError: Error, Sendable, Equatable {
  /// The first record is not the version record of an event file.
  case notAnEventFile(path: String)
  /// A record inside the file does not match its checksum.
  case damaged(path: String, offset: Int)
}

extension EventFileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notAnEventFile(let path):
      """
      cannot append to '\(path)': it is not a TensorBoard event file
        expected: a first record with the version 'brain.Event:2'
        hint: choose another name; nothing was changed
      """
    case .damaged(let path, let offset):
      """
      cannot append to '\(path)': a record does not match its checksum
        at byte \(offset), with more data behind it
        hint: move the file away; nothing was changed
      """
    }
  }
}
