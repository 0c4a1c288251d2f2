extension SafetensorsFile {
  /// The elements of a tensor as Float, row-major.
  ///
  /// F32, F16, BF16 and integers are exact; F64 is rounded to nearest.
  /// - Throws: `notConvertible` for FP8, FP6, FP4 and complex types; `inexact` for an integer that Float
  ///   cannot hold (from 2^24 up); `noSuchTensor`.
  public func floats(_ name: String) throws -> [Float] {
    let entry = try entry(name)
    return try withUnsafeBytes(of: name) { bytes in
      switch entry.type {
      case .float32: decode(bytes) { Float(bitPattern: $0) }
      case .bfloat16: decode(bytes) { HalfPrecision.float(bfloat16: $0) }
      case .float16: decode(bytes) { HalfPrecision.float(float16: $0) }
      case .float64: decode(bytes) { (bits: UInt64) in Float(Double(bitPattern: bits)) }
      case .int8, .uint8, .bool, .int16, .uint16, .int32, .uint32, .int64, .uint64:
        try integers(entry, bytes, as: "Float") { Float(exactly: $0) }
      case .fp4E2M1, .fp6E2M3, .fp6E3M2, .fp8E5M2, .fp8E4M3, .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ, .complex64:
        throw SafetensorsError.notConvertible(path: path, tensor: name, type: entry.type, to: "Float")
      }
    }
  }

  /// The elements of a tensor as Double, row-major; always exact.
  ///
  /// - Throws: as `floats`, but `inexact` only for 64-bit integers with more than 53 significant bits.
  public func doubles(_ name: String) throws -> [Double] {
    let entry = try entry(name)
    return try withUnsafeBytes(of: name) { bytes in
      switch entry.type {
      case .float64: decode(bytes) { Double(bitPattern: $0) }
      case .float32: decode(bytes) { (bits: UInt32) in Double(Float(bitPattern: bits)) }
      case .bfloat16: decode(bytes) { Double(HalfPrecision.float(bfloat16: $0)) }
      case .float16: decode(bytes) { Double(HalfPrecision.float(float16: $0)) }
      case .int8, .uint8, .bool, .int16, .uint16, .int32, .uint32, .int64, .uint64:
        try integers(entry, bytes, as: "Double") { Double(exactly: $0) }
      case .fp4E2M1, .fp6E2M3, .fp6E3M2, .fp8E5M2, .fp8E4M3, .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ, .complex64:
        throw SafetensorsError.notConvertible(path: path, tensor: name, type: entry.type, to: "Double")
      }
    }
  }

  /// The elements of an integer or Boolean tensor as Int32, row-major.
  ///
  /// - Throws: `inexact` for a value beyond Int32, `notConvertible` for other types, `noSuchTensor`.
  public func integers(_ name: String) throws -> [Int32] {
    let entry = try entry(name)
    return try withUnsafeBytes(of: name) { bytes in
      switch entry.type {
      case .int8, .uint8, .bool, .int16, .uint16, .int32, .uint32, .int64, .uint64:
        try integers(entry, bytes, as: "Int32") { Int32(exactly: $0) }
      case .float16, .bfloat16, .float32, .float64, .complex64, .fp4E2M1, .fp6E2M3, .fp6E3M2, .fp8E5M2,
        .fp8E4M3,
        .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ:
        throw SafetensorsError.notConvertible(path: path, tensor: name, type: entry.type, to: "Int32")
      }
    }
  }
}

extension SafetensorsFile {
  /// Converts element by element; the data need not be aligned.
  private func decode<Bits: FixedWidthInteger & BitwiseCopyable, Element>(
    _ bytes: UnsafeRawBufferPointer, _ convert: (Bits) -> Element,
  ) -> [Element] {
    let count = bytes.count / MemoryLayout<Bits>.size
    return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
        elements.initializeElement(at: index, to: convert(Bits(littleEndian: bits)))
      }
      initialized = count
    }
  }

  private func integers<Element>(
    _ entry: SafetensorsEntry, _ bytes: UnsafeRawBufferPointer, as target: String,
    _ convert: (Int64) -> Element?,
  ) throws -> [Element] {
    switch entry.type {
    case .int8: try exact(entry, decode(bytes) { (bits: Int8) in Int64(bits) }, target, convert)
    case .uint8: try exact(entry, decode(bytes) { (bits: UInt8) in Int64(bits) }, target, convert)
    case .int16: try exact(entry, decode(bytes) { (bits: Int16) in Int64(bits) }, target, convert)
    case .uint16: try exact(entry, decode(bytes) { (bits: UInt16) in Int64(bits) }, target, convert)
    case .int32: try exact(entry, decode(bytes) { (bits: Int32) in Int64(bits) }, target, convert)
    case .uint32: try exact(entry, decode(bytes) { (bits: UInt32) in Int64(bits) }, target, convert)
    case .int64: try exact(entry, decode(bytes) { (bits: Int64) in bits }, target, convert)
    case .uint64:
      try exact(entry, decode(bytes) { (bits: UInt64) in bits }, target) {
        Int64(exactly: $0).flatMap(convert)
      }
    case .bool:
      // A byte other than 0 and 1 is no Boolean.
      try exact(entry, decode(bytes) { (bits: UInt8) in bits }, target) { $0 < 2 ? convert(Int64($0)) : nil }
    case .float16, .bfloat16, .float32, .float64, .complex64, .fp4E2M1, .fp6E2M3, .fp6E3M2, .fp8E5M2,
      .fp8E4M3,
      .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ:
      throw SafetensorsError.notConvertible(path: path, tensor: entry.name, type: entry.type, to: target)
    }
  }

  private func exact<Source: BinaryInteger, Element>(
    _ entry: SafetensorsEntry, _ values: [Source], _ target: String, _ convert: (Source) -> Element?,
  ) throws -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      guard let element = convert(value) else {
        throw SafetensorsError.inexact(
          path: path, tensor: entry.name, index: index, value: "\(value)", to: target)
      }
      result.append(element)
    }
    return result
  }
}
