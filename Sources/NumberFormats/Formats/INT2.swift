extension IntegerFormat {
  /// 2 bits, all codes.
  public static let int2 = IntegerFormat(name: "int2", bits: 2, range: .full)
  /// 2 bits without the smallest code, so that both signs reach equally far.
  public static let int2Restricted = IntegerFormat(name: "int2_restricted", bits: 2, range: .restricted)
}
