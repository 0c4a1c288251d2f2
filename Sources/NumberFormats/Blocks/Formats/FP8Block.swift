extension BlockFormat {
  /// E4M3 in tiles of 128 x 128: weights of DeepSeek-V3.
  public static let fp8Block = BlockFormat(
    name: "fp8_block", element: .float(.fp8E4M3), tile: Tile(rows: 128, columns: 128),
    scaling: .float32(isPowerOfTwo: false))
}
