extension BlockFormat {
  /// Microscaling with E5M2 elements.
  public static let mxfp8E5M2 = BlockFormat(
    name: "mxfp8_e5m2", element: .float(.fp8E5M2), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
