/// UE8M0: eight bits that are an exponent, without sign, mantissa or zero.
///
/// Code 255 is NaN.
public enum ExponentScale {
  public static let name = "ue8m0"

  /// How a value that is no power of two becomes one.
  public enum Rounding: String, Sendable, Hashable, CaseIterable {
    case floor
    case ceil
    /// To the arithmetically nearer power, from `1.5 * 2^k` up.
    case nearestHalfUp = "nearest_half_up"
  }

  /// The code of a positive value; the ends saturate, NaN gives 255, zero the smallest power.
  ///
  /// Scales of blocks come from ``ExponentRule`` and need no rounding.
  public static func encode(_ value: Float, _ rounding: Rounding) -> UInt8 {
    guard !value.isNaN else { return 255 }
    let bits = value.bitPattern & 0x7FFF_FFFF
    // Below 2^-126 a Float has no leading one: the smallest power is the bit below it.
    guard bits >= 0x80_0000 else {
      switch rounding {
      case .floor: return 0
      case .ceil: return bits > 0x40_0000 ? 1 : 0
      case .nearestHalfUp: return bits >= 0x60_0000 ? 1 : 0
      }
    }
    switch rounding {
    case .floor: return UInt8(min(bits >> 23, 254))
    case .ceil: return UInt8(min((bits + 0x7F_FFFF) >> 23, 254))
    case .nearestHalfUp: return UInt8(min((bits + 0x40_0000) >> 23, 254))
    }
  }

  /// `2^(code - 127)`.
  public static func decode(_ code: UInt8) -> Float {
    switch code {
    case 0: 0x1p-127
    case 255: .nan
    default: Float(bitPattern: UInt32(code) << 23)
    }
  }
}
