/// A small floating-point format as data: sign, exponent and mantissa fields, and what the codes on top mean.
public struct FloatFormat: Sendable, Hashable {
  /// What the codes above the largest finite one are.
  public enum TopCodes: Sendable, Hashable {
    /// There are none.
    case none
    /// Not numbers, and no infinity.
    case notNumbers
    /// Infinity, and above it not numbers, as in IEEE 754.
    case infinityAndNotNumbers
  }

  /// As in fixtures and configurations.
  public let name: String
  public let exponentBits: UInt32
  public let mantissaBits: UInt32
  public let bias: UInt32
  public let isSigned: Bool
  /// The code of the largest finite value, without a sign.
  public let largestCode: UInt32
  public let topCodes: TopCodes

  @inlinable
  public init(
    name: String, exponentBits: UInt32, mantissaBits: UInt32, bias: UInt32, isSigned: Bool = true,
    largestCode: UInt32, topCodes: TopCodes,
  ) {
    self.name = name
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
    self.bias = bias
    self.isSigned = isSigned
    self.largestCode = largestCode
    self.topCodes = topCodes
  }

  /// Bits of exponent and mantissa.
  @inlinable
  public var magnitudeBits: UInt32 { exponentBits + mantissaBits }
  @inlinable
  public var bitCount: Int { Int(magnitudeBits) + (isSigned ? 1 : 0) }
  @inlinable
  public var grid: BinaryGrid {
    BinaryGrid(mantissaBits: mantissaBits, lowestExponent: 128 &- bias)
  }

  /// The largest finite value.
  public var largest: Float { grid.value(of: largestCode) }
  /// The exponent of the largest finite value: `emax` of the microscaling formats.
  public var largestExponent: Int { Int(largestCode >> mantissaBits) - Int(bias) }

  /// A code above the largest finite one, which means infinity; nil where the format has none.
  @inlinable
  public var infinityCode: UInt32? { topCodes == .infinityAndNotNumbers ? largestCode &+ 1 : nil }
  /// The quiet NaN; nil where the format has none.
  @inlinable
  public var notANumberCode: UInt32? {
    switch topCodes {
    case .none: nil
    case .notNumbers: 1 &<< magnitudeBits &- 1
    case .infinityAndNotNumbers: (largestCode &+ 1) | 1 &<< (mantissaBits &- 1)
    }
  }
}
