/// Conversions between Float and the two 16-bit formats, as bit patterns; exact or rounded to nearest even.
///
/// Integer arithmetic without branches on the data, which the compiler turns into vector code; the
/// standard library's `Float16` costs a function call per element on processors without the format.
public enum HalfPrecision {
  /// The value of a bfloat16 pattern: the upper half of a Float.
  @inlinable
  public static func float(bfloat16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  /// The value of an IEEE binary16 pattern; NaN keeps its payload.
  @inlinable
  public static func float(float16 bits: UInt16) -> Float {
    // The exponent moved as it stands is too small by 112; a multiplication repairs it for normal and
    // subnormal numbers alike. Infinity and NaN come out from 65536 up and get their exponent back.
    let scaled = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
    let special: UInt32 = bits & 0x7C00 == 0x7C00 ? 0x7F80_0000 : 0
    return Float(bitPattern: scaled.bitPattern | special | UInt32(bits & 0x8000) << 16)
  }

  /// The nearest bfloat16, ties to even; overflow gives infinity, NaN stays NaN.
  @inlinable
  public static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let quietNaN = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
    let rounded = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    return bits & 0x7FFF_FFFF > 0x7F80_0000 ? quietNaN : rounded
  }

  /// The nearest IEEE binary16, ties to even; from 65520 up infinity, below 2^-14 subnormal, NaN stays NaN.
  @inlinable
  public static func float16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    // Adding 0.5 puts the last bit of a Float where the last bit of a subnormal binary16 is.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- Float(0.5).bitPattern
    // The exponent less 112, plus half a unit in the last place (one less for ties at even).
    let normal = (magnitude &- (112 << 23) &+ 0x0FFF &+ (magnitude >> 13 & 1)) >> 13
    let special: UInt32 = magnitude > 0x7F80_0000 ? 0x7E00 | magnitude >> 13 & 0x3FF : 0x7C00
    let finite = magnitude < 0x3880_0000 ? subnormal : normal
    return sign | UInt16(truncatingIfNeeded: magnitude >= 0x4780_0000 ? special : finite)
  }
}
