extension BlockFormat {
  /// Symmetric integers of 6 bits in groups of 128 with a Float as scale.
  public static let int6Group = BlockFormat(
    name: "int6_group", element: .integer(.int6), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
