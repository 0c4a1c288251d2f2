extension IntegerFormat {
  /// 6 bits, all codes.
  public static let int6 = IntegerFormat(name: "int6", bits: 6, range: .full)
  /// 6 bits without the smallest code, so that both signs reach equally far.
  public static let int6Restricted = IntegerFormat(name: "int6_restricted", bits: 6, range: .restricted)
}
