extension FloatFormat {
  /// 6 bits, up to 28.
  @inlinable
  public static var fp6E3M2: FloatFormat {
    FloatFormat(
      name: "fp6_e3m2", exponentBits: 3, mantissaBits: 2, bias: 3, isSigned: true, largestCode: 0x1F,
      topCodes: .none)
  }
}
