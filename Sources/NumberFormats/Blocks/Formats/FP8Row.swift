extension BlockFormat {
  /// E4M3 with one scale per row: tokens, or output channels of weights.
  public static let fp8Row = BlockFormat(
    name: "fp8_row", element: .float(.fp8E4M3), tile: .wholeRow,
    scaling: .float32(isPowerOfTwo: false))
}
