extension IntegerFormat {
  /// 4 bits, all codes.
  public static let int4 = IntegerFormat(name: "int4", bits: 4, range: .full)
  /// 4 bits without the smallest code, so that both signs reach equally far.
  public static let int4Restricted = IntegerFormat(name: "int4_restricted", bits: 4, range: .restricted)
}
