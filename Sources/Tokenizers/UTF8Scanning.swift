/// Reading scalars from bytes that are known to be UTF-8 (they come from a `String`).
extension Span<UInt8> {
  /// The scalar that begins at a byte, and its length in bytes.
  @inline(__always)
  func scalar(at index: Int) -> (value: UInt32, length: Int) {
    let lead = self[index]
    if lead < 0x80 { return (UInt32(lead), 1) }
    if lead < 0xE0 { return (UInt32(lead & 0x1F) << 6 | continuation(index + 1), 2) }
    if lead < 0xF0 {
      return (UInt32(lead & 0x0F) << 12 | continuation(index + 1) << 6 | continuation(index + 2), 3)
    }
    let high = UInt32(lead & 0x07) << 18 | continuation(index + 1) << 12
    return (high | continuation(index + 2) << 6 | continuation(index + 3), 4)
  }

  /// The scalar that ends before a byte, and its length in bytes.
  func scalar(before index: Int, notBefore start: Int) -> (value: UInt32, length: Int) {
    var first = index - 1
    while first > start, self[first] & 0xC0 == 0x80 { first -= 1 }
    return (scalar(at: first).value, index - first)
  }

  @inline(__always)
  private func continuation(_ index: Int) -> UInt32 { UInt32(self[index] & 0x3F) }
}

extension [UInt8] {
  /// Appends the UTF-8 form of a scalar.
  mutating func append(scalar value: UInt32) {
    switch value {
    case 0..<0x80:
      append(UInt8(truncatingIfNeeded: value))
    case 0x80..<0x800:
      append(UInt8(truncatingIfNeeded: 0xC0 | value >> 6))
      append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
    case 0x800..<0x10000:
      append(UInt8(truncatingIfNeeded: 0xE0 | value >> 12))
      append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
      append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
    default:
      append(UInt8(truncatingIfNeeded: 0xF0 | value >> 18 & 0x07))
      append(UInt8(truncatingIfNeeded: 0x80 | value >> 12 & 0x3F))
      append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
      append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
    }
  }

  /// Appends a part of a span.
  mutating func append(_ span: Span<UInt8>, _ range: Range<Int>) {
    for index in range { append(span[index]) }
  }
}
