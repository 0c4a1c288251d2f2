extension IntegerFormat {
  /// The elements of MXINT8: 64ths from -127 to 127 of them.
  public static let int8Fraction6 = IntegerFormat(
    name: "int8_1.6", bits: 8, range: .restricted, fractionBits: 6)
}
