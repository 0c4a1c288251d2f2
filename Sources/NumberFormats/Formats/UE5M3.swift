extension FloatFormat {
  /// Scales with five bits of exponent, up to 61440: the top exponent is not used.
  @inlinable
  public static var ue5M3: FloatFormat {
    FloatFormat(
      name: "ue5m3", exponentBits: 5, mantissaBits: 3, bias: 15, isSigned: false, largestCode: 0xF7,
      topCodes: .notNumbers)
  }
}
