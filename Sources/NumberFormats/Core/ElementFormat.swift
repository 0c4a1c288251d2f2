/// What the elements of a block are stored in.
public enum ElementFormat: Sendable, Hashable {
  case float(FloatFormat)
  case integer(IntegerFormat)

  public var name: String {
    switch self {
    case .float(let format): format.name
    case .integer(let format): format.name
    }
  }

  public var bitCount: Int {
    switch self {
    case .float(let format): format.bitCount
    case .integer(let format): Int(format.bits)
    }
  }

  public var grid: BinaryGrid {
    switch self {
    case .float(let format): format.grid
    case .integer(let format): format.grid
    }
  }

  /// Largest magnitudes above and below zero.
  public var ends: (positive: Float, negative: Float) {
    switch self {
    case .float(let format): (format.largest, format.largest)
    case .integer(let format): (format.largest, -format.decode(format.smallestCode))
    }
  }

  /// What a block's largest magnitude is divided by where the scale is not a power of two.
  public var scaleDivisor: Float {
    switch self {
    case .float(let format): format.largest
    case .integer(let format): format.scaleDivisor
    }
  }

  /// The exponent of the largest value.
  public var largestExponent: Int {
    switch self {
    case .float(let format): format.largestExponent
    case .integer(let format): format.largestExponent
    }
  }

  /// The code as a number without sign: fields of a float, two's complement of an integer in `bitCount` bits.
  public func encode(_ value: Float, _ rounding: Rounding = .nearestEven) -> UInt32 {
    switch self {
    case .float(let format): format.encode(value, rounding)
    case .integer(let format):
      UInt32(bitPattern: format.encode(value, rounding)) & (1 << format.bits - 1)
    }
  }

  public func decode(_ code: UInt32) -> Float {
    switch self {
    case .float(let format): return format.decode(code)
    case .integer(let format):
      let unused = 32 - format.bits
      return format.decode(Int32(bitPattern: code << unused) >> Int32(unused))
    }
  }
}
