import Files

/// Where the tokens of a .bin file lie and how wide they are.
///
/// Two formats: a bare stream of little-endian uint16 (nanoGPT), and a header of 256 little-endian int32
/// (magic, version, token count, zeros) before uint16 or uint32 tokens (llm.c).
struct TokenFile: Sendable {
  /// Bytes of the header of llm.c.
  static let headerSize = 1024

  /// Bytes before the first token.
  let offset: Int
  /// Bytes of a token: 2 or 4.
  let width: Int
  /// Tokens in the file.
  let count: Int

  /// Reads and checks the header against the size of the file.
  ///
  /// - Throws: `DataError.invalidTokenFile`.
  init(_ bytes: Span<UInt8>, path: String) throws(DataError) {
    let magic = bytes.count >= 4 ? Self.word(bytes, 0) : 0
    switch magic {
    case 20_240_520: try self.init(header: bytes, path: path, version: 1, width: 2)
    case 20_240_801: try self.init(header: bytes, path: path, version: 7, width: 4)
    default:
      guard bytes.count.isMultiple(of: 2) else {
        throw .invalidTokenFile(
          path: path, problem: "it has \(bytes.count) bytes, an odd number, and no known header",
          hint: "the file may be cut off, or hold something else than uint16 tokens")
      }
      self.init(offset: 0, width: 2, count: bytes.count / 2)
    }
  }

  private init(offset: Int, width: Int, count: Int) {
    self.offset = offset
    self.width = width
    self.count = count
  }

  private init(header bytes: Span<UInt8>, path: String, version: UInt32, width: Int) throws(DataError) {
    func failure(_ problem: String, _ hint: String) -> DataError {
      .invalidTokenFile(path: path, problem: problem, hint: hint)
    }
    guard bytes.count >= Self.headerSize else {
      throw failure(
        "its header needs \(Self.headerSize) bytes and the file has \(bytes.count)", "the file is cut off")
    }
    let foundVersion = Self.word(bytes, 4)
    guard foundVersion == version else {
      throw failure(
        "magic \(Self.word(bytes, 0)) goes with version \(version), but the header says \(foundVersion)",
        "write the file again with a current version of its tool")
    }
    let declared = Int(Int32(bitPattern: Self.word(bytes, 8)))
    let payload = bytes.count - Self.headerSize
    guard declared >= 0, payload.isMultiple(of: width), payload / width == declared else {
      throw failure(
        "the header declares \(declared) tokens of \(width) bytes, but \(payload) bytes follow it",
        "the file is cut off or was not finished; write or copy it again")
    }
    self.init(offset: Self.headerSize, width: width, count: declared)
  }

  private static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
  }
}
