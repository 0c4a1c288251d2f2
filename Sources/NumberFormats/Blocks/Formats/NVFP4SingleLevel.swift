extension BlockFormat {
  /// NVFP4 without the scale per tensor.
  public static let nvfp4SingleLevel = BlockFormat(
    name: "nvfp4_single_level", element: .float(.fp4E2M1), tile: .alongRow(16),
    scaling: .float(.ue4M3, zeroIsOne: false))
}
