extension BlockFormat {
  /// Values rounded to binary16.
  public static let fp16Values = BlockFormat(
    name: "fp16", element: .float(.fp16), tile: .wholeMatrix,
    scaling: .none)
}
