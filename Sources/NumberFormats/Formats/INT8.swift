extension IntegerFormat {
  /// 8 bits, all codes.
  public static let int8 = IntegerFormat(name: "int8", bits: 8, range: .full)
  /// 8 bits without the smallest code, so that both signs reach equally far.
  public static let int8Restricted = IntegerFormat(name: "int8_restricted", bits: 8, range: .restricted)
}
