public import NumberFormats

/// The two 16-bit formats as they stand in files: patterns, exact or rounded to nearest even, overflow to infinity.
public enum HalfPrecision {
  /// The value of a bfloat16 pattern.
  @inlinable
  public static func float(bfloat16 bits: UInt16) -> Float { FloatFormat.bf16.decode(UInt32(bits)) }

  /// The value of an IEEE binary16 pattern.
  @inlinable
  public static func float(float16 bits: UInt16) -> Float { FloatFormat.fp16.decode(UInt32(bits)) }

  /// The nearest bfloat16.
  @inlinable
  public static func bfloat16(_ value: Float) -> UInt16 {
    UInt16(truncatingIfNeeded: FloatFormat.bf16.encode(value, overflow: .ieee))
  }

  /// The nearest IEEE binary16.
  @inlinable
  public static func float16(_ value: Float) -> UInt16 {
    UInt16(truncatingIfNeeded: FloatFormat.fp16.encode(value, overflow: .ieee))
  }
}
