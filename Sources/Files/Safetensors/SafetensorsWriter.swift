/// What a writer is told about a tensor before its data.
public struct SafetensorsDeclaration: Sendable, Hashable {
  public let name: String
  public let type: SafetensorsType
  public let shape: [Int]

  public init(_ name: String, _ type: SafetensorsType, _ shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }
}

/// Writes a safetensors file tensor by tensor, without holding it in memory.
///
/// Layout and order are those of the reference writer, so files are comparable byte by byte: types in
/// falling rank, names in the order of their bytes, the header padded with spaces to a multiple of 8.
/// The file has its final name only after `finish`.
public final class SafetensorsWriter {
  /// The tensors in the order in which their data must come.
  public let order: [SafetensorsDeclaration]

  private let file: AtomicFile
  private let byteCounts: [Int]
  private var position = 0
  private var filled = 0

  /// Writes the header.
  ///
  /// - Parameters:
  ///   - path: The final path; its folder must exist.
  ///   - tensors: All tensors of the file, in any order.
  ///   - metadata: Written to `__metadata__`; `"format": "pt"`, which transformers wants, is added unless a
  ///     format is given.
  ///   - overwrite: Whether a file of that name may be replaced.
  /// - Throws: `FileError`; `SafetensorsError` for names used twice and impossible shapes.
  public init(
    path: String, tensors: [SafetensorsDeclaration], metadata: [String: String] = [:], overwrite: Bool = true,
  ) throws {
    order = tensors.sorted {
      $0.type == $1.type
        ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : $0.type.layoutRank < $1.type.layoutRank
    }
    var header = JSONObject()
    let format = metadata["format"] ?? "pt"
    let texts = metadata.merging(["format": format]) { own, _ in own }
    let sorted = texts.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    header["__metadata__"] = .object(JSONObject(sorted.map { (key: $0.key, value: .string($0.value)) }))
    byteCounts = try Self.layOut(order, in: &header, path)
    var text = JSON.object(header).serializedBytes()
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    guard text.count <= SafetensorsHeader.lengthLimit else {
      throw SafetensorsError.headerTooLong(
        path: path, length: UInt64(text.count), limit: SafetensorsHeader.lengthLimit)
    }
    file = try AtomicFile(path: path, overwrite: overwrite)
    try file.append(withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) })
    try file.append(text)
  }

  /// Writes a whole file; `data` is asked for each tensor's bytes (little endian) in the file's order.
  public static func write(
    path: String, tensors: [SafetensorsDeclaration], metadata: [String: String] = [:], overwrite: Bool = true,
    data: (SafetensorsDeclaration) throws -> [UInt8],
  ) throws {
    let writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: metadata, overwrite: overwrite)
    for tensor in writer.order { try writer.append(tensor.name, bytes: data(tensor)) }
    try writer.finish()
  }

  /// Appends bytes (little endian) of the next tensor, all or a piece of them.
  ///
  /// - Throws: `SafetensorsError.wrongData` when another tensor is due or there are too many bytes;
  ///   `FileError`.
  public func append(_ name: String, bytes: [UInt8]) throws {
    try bytes.span.withUnsafeBytes { try append(name, $0) }
  }

  /// Appends raw memory of the next tensor, all or a piece of it.
  public func append(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
    try take(name, bytes.count)
    try file.append(bytes)
  }

  /// Appends numbers to the next tensor, all or a piece of them, converted to its type.
  ///
  /// Rounds to nearest even for F16 and BF16; F32 and F64 are exact.
  /// - Throws: as `append(_:bytes:)`; `SafetensorsError.notConvertible` for other types.
  public func append(_ name: String, floats: [Float]) throws {
    skipComplete()
    guard !floats.isEmpty, position < order.count, order[position].name.hasSameBytes(as: name) else {
      return try take(name, floats.count)
    }
    switch order[position].type {
    case .float32: try append(name, bytes: Self.encode(floats) { $0.bitPattern })
    case .bfloat16: try append(name, bytes: Self.encode(floats, HalfPrecision.bfloat16))
    case .float16: try append(name, bytes: Self.encode(floats, HalfPrecision.float16))
    case .float64: try append(name, bytes: Self.encode(floats) { Double($0).bitPattern })
    case .bool, .fp4E2M1, .fp6E2M3, .fp6E3M2, .uint8, .int8, .fp8E5M2, .fp8E4M3, .fp8E8M0, .fp8E4M3FNUZ,
      .fp8E5M2FNUZ, .int16, .uint16, .int32, .uint32, .complex64, .int64, .uint64:
      let type = order[position].type
      throw SafetensorsError.notConvertible(path: file.path, tensor: name, type: type, to: type.rawValue)
    }
  }

  /// Completes the file and gives it its name.
  ///
  /// - Throws: `SafetensorsError.wrongData` when data is missing; `FileError`.
  public func finish() throws {
    skipComplete()
    if position < order.count {
      throw SafetensorsError.wrongData(
        path: file.path, tensor: order[position].name,
        problem: "\(filled) of \(byteCounts[position]) bytes were given")
    }
    try file.finish()
  }
}

extension SafetensorsWriter {
  /// Little-endian bytes of converted numbers.
  public static func encode<Bits: FixedWidthInteger>(_ floats: [Float], _ convert: (Float) -> Bits) -> [UInt8]
  {
    let size = MemoryLayout<Bits>.size
    return [UInt8](unsafeUninitializedCapacity: floats.count * size) { bytes, initialized in
      let raw = UnsafeMutableRawBufferPointer(bytes)
      for (index, value) in floats.enumerated() {
        raw.storeBytes(of: convert(value).littleEndian, toByteOffset: index * size, as: Bits.self)
      }
      initialized = floats.count * size
    }
  }

  private static func layOut(
    _ order: [SafetensorsDeclaration], in header: inout JSONObject, _ path: String,
  ) throws -> [Int] {
    var end = 0
    var byteCounts: [Int] = []
    for tensor in order {
      let bytes = tensor.type.byteCount(of: tensor.shape)
      let (next, overflow) = end.addingReportingOverflow(bytes ?? 0)
      guard let bytes, !overflow else {
        throw SafetensorsError.wrongSize(
          path: path, tensor: tensor.name, type: tensor.type, shape: tensor.shape, expected: bytes, actual: 0)
      }
      let added = header.appendIfAbsent(
        tensor.name,
        [
          "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
          "data_offsets": [.integer(Int64(end)), .integer(Int64(next))],
        ])
      guard added else { throw SafetensorsError.invalidName(path: path, tensor: tensor.name) }
      byteCounts.append(bytes)
      end = next
    }
    return byteCounts
  }

  /// Passes over tensors that have all their bytes.
  private func skipComplete() {
    while position < order.count, filled == byteCounts[position] {
      position += 1
      filled = 0
    }
  }

  /// Checks that `count` bytes of `name` may come now, and counts them.
  private func take(_ name: String, _ count: Int) throws {
    // An empty tensor may be named, but need not be.
    if count == 0, order.contains(where: { $0.name.hasSameBytes(as: name) }) { return }
    skipComplete()
    guard position < order.count, order[position].name.hasSameBytes(as: name) else {
      let due = position < order.count ? "'\(order[position].name)' is due" : "all tensors are complete"
      throw SafetensorsError.wrongData(path: file.path, tensor: name, problem: due)
    }
    guard count <= byteCounts[position] - filled else {
      throw SafetensorsError.wrongData(
        path: file.path, tensor: name,
        problem: "\(count) more bytes after \(filled), it has \(byteCounts[position])")
    }
    filled += count
  }
}
