extension Codebook {
  /// The 4-bit float of bitsandbytes: not E2M1; codes 1 and 9 are tiny.
  public static let fp4BitsAndBytes = Codebook(
    name: "fp4",
    values: [0, 0.0625, 8, 12, 4, 6, 2, 3, -0.0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 })
}
