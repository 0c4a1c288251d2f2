extension BlockFormat {
  /// Symmetric integers of 4 bits in groups of 128 with a Float as scale.
  public static let int4Group = BlockFormat(
    name: "int4_group", element: .integer(.int4), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
