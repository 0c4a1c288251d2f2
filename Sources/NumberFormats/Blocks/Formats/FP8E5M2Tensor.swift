extension BlockFormat {
  /// E5M2 with one scale per tensor: gradients.
  public static let fp8E5M2Tensor = BlockFormat(
    name: "fp8_e5m2_tensor", element: .float(.fp8E5M2), tile: .wholeMatrix,
    scaling: .float32(isPowerOfTwo: false))
}
