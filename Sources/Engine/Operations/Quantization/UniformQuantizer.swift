public import NumberFormats

/// How a matrix is rounded to multiples of scales that are given: levels, and what shares a scale.
public struct UniformQuantizer: Sendable, Hashable {
  public var grid: UniformGrid
  public var groups: ScaleGroups

  public init(_ grid: UniformGrid, _ groups: ScaleGroups) {
    self.grid = grid
    self.groups = groups
  }
}

/// What shares a scale.
public enum ScaleGroups: Sendable, Hashable {
  case matrix
  case row
  /// Neighbours in a row; the last group of a row may be smaller.
  case alongRow(Int)

  /// Nil for tiles of other shapes.
  public init?(_ tile: Tile) {
    switch (tile.rows, tile.columns) {
    case (nil, nil): self = .matrix
    case (1, nil): self = .row
    case (1, let count?): self = .alongRow(count)
    default: return nil
    }
  }

  /// Whether all rows have one scale.
  var isShared: Bool { self == .matrix }

  /// Neighbours in a row of a matrix with this scale in common, at most.
  func width(columns: Int) -> Int {
    if case .alongRow(let count) = self { return max(1, min(count, columns)) }
    return max(1, columns)
  }

  /// Neighbours in a row that would share a scale if rows were long enough.
  func size(columns: Int) -> Int {
    if case .alongRow(let count) = self { return count }
    return max(1, columns)
  }

  func perRow(columns: Int) -> Int {
    let width = width(columns: columns)
    return (columns + width - 1) / width
  }

  /// The shape of a matrix's scales.
  public func scales(rows: Int, columns: Int) -> Shape {
    isShared ? [1, 1] : [rows, perRow(columns: columns)]
  }

  /// Numbers that share a scale.
  func count(rows: Int, columns: Int) -> Int { (isShared ? rows : 1) * width(columns: columns) }

  /// The scale of an element, by its number.
  func scale(of element: Int, columns: Int) -> Int {
    isShared
      ? 0 : element / columns * perRow(columns: columns) + element % columns / width(columns: columns)
  }
}
