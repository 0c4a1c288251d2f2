extension FloatFormat {
  /// IEEE 754 binary16, up to 65504.
  @inlinable
  public static var fp16: FloatFormat {
    FloatFormat(
      name: "fp16", exponentBits: 5, mantissaBits: 10, bias: 15, isSigned: true, largestCode: 0x7BFF,
      topCodes: .infinityAndNotNumbers)
  }
}
