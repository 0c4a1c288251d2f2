extension BlockFormat {
  /// Blocks of 16 E2M1 with E4M3 scales under a scale per tensor (NVIDIA's NVFP4).
  public static let nvfp4 = BlockFormat(
    name: "nvfp4", element: .float(.fp4E2M1), tile: .alongRow(16),
    scaling: .float(.ue4M3, zeroIsOne: false), tensorTarget: 448)
}
