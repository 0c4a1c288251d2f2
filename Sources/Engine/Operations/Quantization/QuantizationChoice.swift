public import NumberFormats

/// How a matrix is quantized: the format and what happens before and while it is rounded.
///
/// The format's tile says along which axis its blocks lie; see ``BlockFormat/tiled(_:)``.
public struct QuantizationChoice: Sendable, Hashable {
  public var format: BlockFormat
  /// Stochastic rounding with these bits; nil rounds to nearest even.
  public var randomness: RoundingBits?
  /// The size of the randomized Hadamard transform along the blocks' axis, 16, 32, 64 or 128; nil for none.
  ///
  /// The result
  /// stays transformed: the other operand of the product needs the same transform and signs.
  public var rotation: Int?

  public init(_ format: BlockFormat, randomness: RoundingBits? = nil, rotation: Int? = nil) {
    self.format = format
    self.randomness = randomness
    self.rotation = rotation
  }

  /// Whether the tensor's largest magnitude is an input: formats with a scale per tensor, and those with one scale for
  /// the whole matrix.
  public var needsLargest: Bool { format.hasTensorScale }

  /// Blocks of one column: the transform runs down the columns, too.
  var isDownColumns: Bool { format.tile.columns == 1 && format.tile.rows != 1 }

  /// What is wrong with the choice for a matrix, nil if nothing.
  func problem(rows: Int, columns: Int) -> String? {
    if rows * columns >= 1 << 31 { return "matrices have less than 2^31 elements" }
    if format.scaling == .none, format.tile != .wholeMatrix { return "without scales there are no blocks" }
    if format.tensorTarget != nil {
      guard case .float = format.scaling, format.tile != .wholeMatrix else {
        return "only small float scales of blocks have a tensor's scale above them"
      }
    }
    if format.isSearched, format.scaling == .none || format.tile == .wholeMatrix {
      return "only scales of blocks are searched"
    }
    guard let rotation else { return nil }
    guard [16, 32, 64, 128].contains(rotation) else {
      return "the transform's size is 16, 32, 64 or 128, not \(rotation)"
    }
    let length = isDownColumns ? rows : columns
    guard length % rotation == 0 else {
      return "an axis of \(length) does not hold whole transforms of \(rotation)"
    }
    if format.tile == .wholeMatrix { return "one scale for the whole matrix goes with no transform" }
    if let rows = format.tile.rows, isDownColumns, rows % rotation != 0, rotation % rows != 0 {
      return "blocks of \(rows) do not fit transforms of \(rotation)"
    }
    if let columns = format.tile.columns, !isDownColumns, columns % rotation != 0, rotation % columns != 0 {
      return "blocks of \(columns) do not fit transforms of \(rotation)"
    }
    return nil
  }
}
