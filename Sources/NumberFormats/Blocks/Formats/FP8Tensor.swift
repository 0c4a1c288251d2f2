extension BlockFormat {
  /// E4M3 with one scale per tensor.
  public static let fp8Tensor = BlockFormat(
    name: "fp8_tensor", element: .float(.fp8E4M3), tile: .wholeMatrix,
    scaling: .float32(isPowerOfTwo: false))
}
