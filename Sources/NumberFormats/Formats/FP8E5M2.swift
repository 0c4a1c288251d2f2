extension FloatFormat {
  /// 8 bits with the range of binary16, up to 57344.
  @inlinable
  public static var fp8E5M2: FloatFormat {
    FloatFormat(
      name: "fp8_e5m2", exponentBits: 5, mantissaBits: 2, bias: 15, isSigned: true, largestCode: 0x7B,
      topCodes: .infinityAndNotNumbers)
  }
}
