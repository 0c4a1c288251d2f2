extension BlockFormat {
  /// Microscaling with E2M3 elements.
  public static let mxfp6E2M3 = BlockFormat(
    name: "mxfp6_e2m3", element: .float(.fp6E2M3), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
