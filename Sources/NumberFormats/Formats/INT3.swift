extension IntegerFormat {
  /// 3 bits, all codes.
  public static let int3 = IntegerFormat(name: "int3", bits: 3, range: .full)
  /// 3 bits without the smallest code, so that both signs reach equally far.
  public static let int3Restricted = IntegerFormat(name: "int3_restricted", bits: 3, range: .restricted)
}
