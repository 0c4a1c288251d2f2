/// The element types of the safetensors format, in the order its reference implementation ranks them.
public enum SafetensorsType: String, CaseIterable, Sendable, Hashable {
  case bool = "BOOL"
  case fp4E2M1 = "F4"
  case fp6E2M3 = "F6_E2M3"
  case fp6E3M2 = "F6_E3M2"
  case uint8 = "U8"
  case int8 = "I8"
  case fp8E5M2 = "F8_E5M2"
  case fp8E4M3 = "F8_E4M3"
  case fp8E8M0 = "F8_E8M0"
  case fp8E4M3FNUZ = "F8_E4M3FNUZ"
  case fp8E5M2FNUZ = "F8_E5M2FNUZ"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// Bits per element; less than 8 for packed types.
  public var bitCount: Int {
    switch self {
    case .fp4E2M1: 4
    case .fp6E2M3, .fp6E3M2: 6
    case .bool, .uint8, .int8, .fp8E5M2, .fp8E4M3, .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ: 8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32: 32
    case .complex64, .float64, .int64, .uint64: 64
    }
  }

  /// The elements of a shape, nil when the product overflows or a dimension is negative.
  public static func elementCount(of shape: [Int]) -> Int? {
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard dimension >= 0, !overflow else { return nil }
      count = product
    }
    return count
  }

  /// The bytes of a tensor of this shape, nil on overflow or when packed elements do not fill whole bytes.
  public func byteCount(of shape: [Int]) -> Int? {
    guard let elements = Self.elementCount(of: shape) else { return nil }
    let (bits, overflow) = elements.multipliedReportingOverflow(by: bitCount)
    return overflow || bits % 8 != 0 ? nil : bits / 8
  }

  /// Place in the falling order in which tensors are laid out in a file.
  var layoutRank: Int {
    Self.ranks[self] ?? 0
  }

  private static let ranks = Dictionary(
    uniqueKeysWithValues: allCases.reversed().enumerated().map { ($0.element, $0.offset) })
}

/// One tensor of a file: what the header says about it.
public struct SafetensorsEntry: Sendable, Hashable {
  /// The tensor's name.
  public let name: String
  /// The element type.
  public let type: SafetensorsType
  /// The dimensions, slowest first; empty for a scalar.
  public let shape: [Int]
  /// The bytes in the file, from its start.
  public let byteRange: Range<Int>

  /// The number of elements.
  public var elementCount: Int {
    // The reader has checked that the product does not overflow.
    shape.reduce(1, *)
  }
}
