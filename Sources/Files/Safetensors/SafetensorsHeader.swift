/// The parsed and checked header of a safetensors file.
struct SafetensorsHeader {
  /// Longest header accepted, in bytes: the reference implementation's limit.
  static let lengthLimit = 100_000_000

  private(set) var entries: [SafetensorsEntry] = []
  private(set) var metadata: [String: String] = [:]

  /// Reads and checks the header of `file`: everything a later access relies on.
  init(_ file: MappedFile) throws {
    let path = file.path
    guard file.count >= 8 else { throw SafetensorsError.tooShort(path: path, size: file.count) }
    let length = try file.bytes(in: 0..<8).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << (8 * $1.offset)
    }
    let limit = min(Self.lengthLimit, file.count - 8)
    guard length <= UInt64(limit) else {
      throw SafetensorsError.headerTooLong(path: path, length: length, limit: limit)
    }
    let dataStart = 8 + Int(length)
    let members = try Self.members(file, dataStart)
    for member in members {
      if member.key.hasSameBytes(as: "__metadata__") {
        metadata = try Self.metadata(member.value, path)
      } else {
        entries.append(try Self.entry(member.key, member.value, path, dataStart, file.count))
      }
    }
    try checkLayout(path, dataStart, file.count)
  }

  private static func members(_ file: MappedFile, _ dataStart: Int) throws -> JSONObject {
    let json = try file.withBytes(in: 8..<dataStart) { bytes in
      guard !bytes.isEmpty, bytes[0] == UInt8(ascii: "{") else {
        throw SafetensorsError.header(path: file.path, problem: "it does not begin with '{'")
      }
      do {
        return try JSON.parse(bytes, source: "header")
      } catch {
        throw SafetensorsError.header(path: file.path, problem: "\(error)")
      }
    }
    guard case .object(let members) = json else {
      throw SafetensorsError.header(path: file.path, problem: "it is \(json.kind)")
    }
    return members
  }

  private static func metadata(_ json: JSON, _ path: String) throws -> [String: String] {
    guard case .object(let members) = json else {
      throw SafetensorsError.metadata(path: path, key: "__metadata__", kind: json.kind)
    }
    var result: [String: String] = [:]
    for member in members {
      guard case .string(let text) = member.value else {
        throw SafetensorsError.metadata(path: path, key: member.key, kind: member.value.kind)
      }
      result[member.key] = text
    }
    return result
  }

  private static func entry(
    _ name: String, _ json: JSON, _ path: String, _ dataStart: Int, _ fileSize: Int,
  ) throws -> SafetensorsEntry {
    func invalid(_ problem: String) -> SafetensorsError { .entry(path: path, tensor: name, problem: problem) }
    guard case .object(let fields) = json else { throw invalid("it is \(json.kind), not an object") }
    guard let typeName = fields["dtype"]?.stringValue else { throw invalid("no string 'dtype'") }
    guard let type = SafetensorsType(rawValue: typeName) else {
      throw SafetensorsError.unknownType(path: path, tensor: name, type: typeName)
    }
    guard let shape = sizes(fields["shape"]) else {
      throw invalid("'shape' must be a list of integers from 0 up")
    }
    guard let offsets = sizes(fields["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw invalid("'data_offsets' must be two rising integers from 0 up")
    }
    guard offsets[1] <= fileSize - dataStart else {
      throw invalid("it ends at \(offsets[1]), the data at \(fileSize - dataStart)")
    }
    let actual = offsets[1] - offsets[0]
    let expected = type.byteCount(of: shape)
    guard expected == actual else {
      throw SafetensorsError.wrongSize(
        path: path, tensor: name, type: type, shape: shape, expected: expected, actual: actual)
    }
    return SafetensorsEntry(
      name: name, type: type, shape: shape, byteRange: dataStart + offsets[0]..<dataStart + offsets[1])
  }

  /// A list of integers from 0 up, nil for anything else.
  private static func sizes(_ json: JSON?) -> [Int]? {
    guard let elements = json?.arrayValue else { return nil }
    let values = elements.compactMap { $0.integerValue.flatMap { $0 >= 0 ? $0 : nil } }
    return values.count == elements.count ? values : nil
  }

  /// Tensors must follow one another without gap or overlap, from the header to the end of the file.
  private func checkLayout(_ path: String, _ dataStart: Int, _ fileSize: Int) throws {
    let ordered = entries.sorted {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var end = dataStart
    for entry in ordered {
      guard entry.byteRange.lowerBound == end else {
        throw SafetensorsError.gapOrOverlap(
          path: path, tensor: entry.name, begins: entry.byteRange.lowerBound - dataStart,
          expected: end - dataStart)
      }
      end = entry.byteRange.upperBound
    }
    guard end == fileSize else {
      throw SafetensorsError.wrongFileSize(
        path: path, dataSize: fileSize - dataStart, tensorSize: end - dataStart)
    }
  }
}
