extension BlockFormat {
  /// Microscaling with E2M1 elements.
  public static let mxfp4 = BlockFormat(
    name: "mxfp4", element: .float(.fp4E2M1), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
