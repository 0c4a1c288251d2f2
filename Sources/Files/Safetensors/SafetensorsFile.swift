/// A safetensors file opened for reading: mapped, with its header checked in full.
///
/// Nothing is read from the data before a tensor is asked for.
public final class SafetensorsFile: Sendable {
  /// The path as it was given.
  public let path: String
  /// The tensors in the order of the header.
  public let entries: [SafetensorsEntry]
  /// The content of `__metadata__`; empty when there is none.
  public let metadata: [String: String]

  private let file: MappedFile
  private let index: [ExactString: Int]

  /// Opens and checks a file.
  ///
  /// - Throws: `FileError` when it cannot be mapped, `SafetensorsError` when it breaks a rule of the format.
  public init(path: String) throws {
    self.path = path
    file = try MappedFile(path: path)
    let header = try SafetensorsHeader(file)
    entries = header.entries
    metadata = header.metadata
    var index: [ExactString: Int] = [:]
    for (position, entry) in header.entries.enumerated() { index[ExactString(entry.name)] = position }
    self.index = index
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { index[ExactString(name)] != nil }

  /// What the header says about a tensor.
  ///
  /// - Throws: `SafetensorsError.noSuchTensor`.
  public func entry(_ name: String) throws -> SafetensorsEntry {
    guard let position = index[ExactString(name)] else {
      let examples = entries.prefix(8).map(\.name) + (entries.count > 8 ? ["... (\(entries.count))"] : [])
      throw SafetensorsError.noSuchTensor(path: path, tensor: name, examples: examples)
    }
    return entries[position]
  }

  /// Gives the raw bytes of a tensor (little endian) to `body` without copying them.
  public func withBytes<Result>(of name: String, _ body: (Span<UInt8>) throws -> Result) throws -> Result {
    try file.withBytes(in: entry(name).byteRange, body)
  }

  /// The same as raw memory, not necessarily aligned; for C calls and device uploads.
  public func withUnsafeBytes<Result>(
    of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result,
  ) throws -> Result {
    try file.withUnsafeBytes(in: entry(name).byteRange, body)
  }

  /// A copy of the raw bytes of a tensor.
  public func bytes(of name: String) throws -> [UInt8] {
    try file.bytes(in: entry(name).byteRange)
  }
}
