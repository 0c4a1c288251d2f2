extension BlockFormat {
  /// Microscaling with integers in 64ths.
  public static let mxint8 = BlockFormat(
    name: "mxint8", element: .integer(.int8Fraction6), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
