extension BlockFormat {
  /// Values rounded to bfloat16.
  public static let bf16Values = BlockFormat(
    name: "bf16", element: .float(.bf16), tile: .wholeMatrix,
    scaling: .none)
}
