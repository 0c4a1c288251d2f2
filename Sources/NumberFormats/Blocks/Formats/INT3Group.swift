extension BlockFormat {
  /// Symmetric integers of 3 bits in groups of 128 with a Float as scale.
  public static let int3Group = BlockFormat(
    name: "int3_group", element: .integer(.int3), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
