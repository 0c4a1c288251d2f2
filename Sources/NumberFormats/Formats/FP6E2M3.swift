extension FloatFormat {
  /// 6 bits, up to 7.5 in steps of at least an eighth.
  @inlinable
  public static var fp6E2M3: FloatFormat {
    FloatFormat(
      name: "fp6_e2m3", exponentBits: 2, mantissaBits: 3, bias: 1, isSigned: true, largestCode: 0x1F,
      topCodes: .none)
  }
}
