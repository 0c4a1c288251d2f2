/// Whole numbers of some bits, or multiples of a power of two, in two's complement.
public struct IntegerFormat: Sendable, Hashable {
  /// Which of the codes are used.
  public enum Range: String, Sendable, Hashable, CaseIterable {
    /// All: `-2^(b-1)...2^(b-1)-1`. Scales reach to the middle between both ends, so the positive extreme saturates.
    case full
    /// As many below zero as above.
    case restricted
  }

  public let name: String
  public let bits: UInt32
  public let range: Range
  /// A code stands for `code / 2^fractionBits`.
  public let fractionBits: UInt32

  /// - Parameter bits: 2...8.
  public init(name: String, bits: UInt32, range: Range, fractionBits: UInt32 = 0) {
    self.name = name
    self.bits = bits
    self.range = range
    self.fractionBits = fractionBits
  }

  public var largestCode: Int32 { 1 << (bits - 1) - 1 }
  public var smallestCode: Int32 { range == .full ? -largestCode - 1 : -largestCode }
  /// The largest value; the smallest one may be a quantum further from zero.
  public var largest: Float { decode(largestCode) }
  /// What a block's largest magnitude is divided by for its scale.
  public var scaleDivisor: Float {
    let codes = range == .full ? Float(largestCode) + 0.5 : Float(largestCode)
    return codes / Float(UInt32(1) << fractionBits)
  }
  /// The exponent of the largest value.
  public var largestExponent: Int { Int(bits) - 2 - Int(fractionBits) }
  /// Codes are multiples of the quantum up to the first power of two that does not fit any more.
  public var grid: BinaryGrid {
    BinaryGrid(mantissaBits: bits - 2, lowestExponent: 127 + bits - 2 - fractionBits)
  }

  /// The nearest code; values beyond the ends saturate, NaN as well.
  public func encode(_ value: Float, _ rounding: Rounding = .nearestEven) -> Int32 {
    let code = Int32(clamping: grid.code(of: value.bitPattern & 0x7FFF_FFFF, rounding))
    return value.sign == .minus ? max(-code, smallestCode) : min(code, largestCode)
  }

  public func decode(_ code: Int32) -> Float { Float(code) / Float(UInt32(1) << fractionBits) }
}
