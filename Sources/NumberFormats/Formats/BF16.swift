extension FloatFormat {
  /// The upper half of a Float.
  @inlinable
  public static var bf16: FloatFormat {
    FloatFormat(
      name: "bf16", exponentBits: 8, mantissaBits: 7, bias: 127, isSigned: true, largestCode: 0x7F7F,
      topCodes: .infinityAndNotNumbers)
  }
}
