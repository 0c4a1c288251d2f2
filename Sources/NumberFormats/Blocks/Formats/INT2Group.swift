extension BlockFormat {
  /// Symmetric integers of 2 bits in groups of 128 with a Float as scale.
  public static let int2Group = BlockFormat(
    name: "int2_group", element: .integer(.int2), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
