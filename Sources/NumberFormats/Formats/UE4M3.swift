extension FloatFormat {
  /// Scales of NVFP4: E4M3 whose sign is never set.
  @inlinable
  public static var ue4M3: FloatFormat {
    FloatFormat(
      name: "ue4m3", exponentBits: 4, mantissaBits: 3, bias: 7, isSigned: false, largestCode: 0x7E,
      topCodes: .notNumbers)
  }
}
