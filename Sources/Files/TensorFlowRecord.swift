/// The framing of TFRecord files: length, its checksum, payload, its checksum; all little endian.
enum TensorFlowRecord {
  /// Bytes round a payload.
  static let overhead = 16

  static func framed(_ payload: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(payload.count))
    return length + littleEndian(CRC32C.masked(length)) + payload + littleEndian(CRC32C.masked(payload))
  }

  /// The payload of the record at `offset`, nil at the end of the file and for a torn last record.
  ///
  /// - Throws: `EventFileError.damaged` when a checksum fails and more data follows.
  static func payload(at offset: Int, of file: MappedFile) throws -> [UInt8]? {
    guard file.count - offset >= overhead else { return nil }
    let head = try file.bytes(in: offset..<offset + 12)
    let length = head[0..<8].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
    guard Array(head[8...]) == littleEndian(CRC32C.masked(Array(head[..<8]))) else {
      // A torn write cannot change bytes already there; space that was never filled reads as zeros.
      if try isZero(file, from: offset) { return nil }
      throw EventFileError.damaged(path: file.path, offset: offset)
    }
    guard let count = Int(exactly: length), count <= file.count - offset - overhead else { return nil }
    let end = offset + 12 + count
    let payload = try file.bytes(in: offset + 12..<end)
    guard try file.bytes(in: end..<end + 4) == littleEndian(CRC32C.masked(payload)) else {
      if end + 4 == file.count { return nil }
      throw EventFileError.damaged(path: file.path, offset: offset)
    }
    return payload
  }

  private static func isZero(_ file: MappedFile, from offset: Int) throws -> Bool {
    try file.bytes(in: offset..<file.count).allSatisfy { $0 == 0 }
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

/// The few field kinds of a protobuf message that events need.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ field: UInt64, integer: Int64) {
    addVarint(field << 3)
    addVarint(UInt64(bitPattern: integer))
  }

  mutating func add(_ field: UInt64, double: Double) {
    addVarint(field << 3 | 1)
    withUnsafeBytes(of: double.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ field: UInt64, float: Float) {
    addVarint(field << 3 | 5)
    withUnsafeBytes(of: float.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ field: UInt64, string: String) {
    addDelimited(field, Array(string.utf8))
  }

  mutating func add(_ field: UInt64, message: ProtobufMessage) {
    addDelimited(field, message.bytes)
  }

  private mutating func addDelimited(_ field: UInt64, _ content: [UInt8]) {
    addVarint(field << 3 | 2)
    addVarint(UInt64(content.count))
    bytes += content
  }

  private mutating func addVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
