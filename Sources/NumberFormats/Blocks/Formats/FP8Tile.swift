extension BlockFormat {
  /// E4M3 in tiles of 1 x 128: activations and gradients of DeepSeek-V3.
  public static let fp8Tile = BlockFormat(
    name: "fp8_tile", element: .float(.fp8E4M3), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
