extension BlockFormat {
  /// Microscaling with E4M3 elements (OCP Microscaling Formats 1.0).
  public static let mxfp8E4M3 = BlockFormat(
    name: "mxfp8_e4m3", element: .float(.fp8E4M3), tile: .alongRow(32),
    scaling: .powerOfTwo(.floor))
}
