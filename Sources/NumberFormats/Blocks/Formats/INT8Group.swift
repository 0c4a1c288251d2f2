extension BlockFormat {
  /// Symmetric integers of 8 bits in groups of 128 with a Float as scale.
  public static let int8Group = BlockFormat(
    name: "int8_group", element: .integer(.int8), tile: .alongRow(128),
    scaling: .float32(isPowerOfTwo: false))
}
