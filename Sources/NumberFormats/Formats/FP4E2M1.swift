extension FloatFormat {
  /// 4 bits: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
  @inlinable
  public static var fp4E2M1: FloatFormat {
    FloatFormat(
      name: "fp4_e2m1", exponentBits: 2, mantissaBits: 1, bias: 1, isSigned: true, largestCode: 0x7,
      topCodes: .none)
  }
}
