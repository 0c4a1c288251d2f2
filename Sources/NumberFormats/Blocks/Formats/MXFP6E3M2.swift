extension BlockFormat {
  /// Microscaling with E3M2 elements.
  public static let mxfp6E3M2 = BlockFormat(
    name: "mxfp6_e3m2", element: .float(.fp6E3M2), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
