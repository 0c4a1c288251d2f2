extension FloatFormat {
  /// 8 bits, up to 448 and without infinities (E4M3FN of the OCP 8-bit floating-point specification).
  @inlinable
  public static var fp8E4M3: FloatFormat {
    FloatFormat(
      name: "fp8_e4m3fn", exponentBits: 4, mantissaBits: 3, bias: 7, isSigned: true, largestCode: 0x7E,
      topCodes: .notNumbers)
  }
}
