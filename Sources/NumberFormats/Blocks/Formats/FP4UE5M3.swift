extension BlockFormat {
  /// NVFP4's blocks with scales whose range makes a scale per tensor unnecessary.
  public static let fp4UE5M3 = BlockFormat(
    name: "fp4_ue5m3", element: .float(.fp4E2M1), tile: .alongRow(16),
    scaling: .float(.ue5M3, zeroIsOne: true))
}
