extension BlockFormat {
  /// Symmetric integers of 8 bits with one scale per row.
  public static let int8Row = BlockFormat(
    name: "int8_row", element: .integer(.int8Restricted), tile: .wholeRow,
    scaling: .float32(isPowerOfTwo: false))
}
