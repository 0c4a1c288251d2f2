/// The byte-level alphabet: every byte has a printable character that stands for it in vocabulary files.
///
/// Printable bytes of ASCII and Latin-1 stand for themselves; the other 68 follow from U+0100 on in order
/// (the space is U+0120). Introduced with GPT-2 (Radford et al., 2019).
enum ByteAlphabet {
  /// The stand-in of every byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      if isPrintable(byte) { return Unicode.Scalar(byte) }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? Unicode.Scalar(byte)
    }
  }()

  /// The byte of every stand-in, by scalar value; -1 for other scalars.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

  /// Bytes in the order of their stand-ins, the order in which trained vocabularies list them.
  static let bytesInScalarOrder: [UInt8] = (UInt8.min...UInt8.max).sorted {
    scalars[Int($0)].value < scalars[Int($1)].value
  }

  private static func isPrintable(_ byte: UInt8) -> Bool {
    (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
  }

  /// The stand-ins of bytes as text.
  static func text(of bytes: some Sequence<UInt8>) -> String {
    var view = String.UnicodeScalarView()
    for byte in bytes { view.append(scalars[Int(byte)]) }
    return String(view)
  }

  /// Appends the bytes a text of stand-ins means; says false (and appends nothing) when another
  /// character occurs.
  static func append(bytesOf text: String, to result: inout [UInt8]) -> Bool {
    let start = result.count
    for scalar in text.unicodeScalars {
      guard Int(scalar.value) < bytes.count, bytes[Int(scalar.value)] >= 0 else {
        result.removeSubrange(start...)
        return false
      }
      result.append(UInt8(truncatingIfNeeded: bytes[Int(scalar.value)]))
    }
    return true
  }
}
