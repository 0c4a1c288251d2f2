/// The part of a matrix that shares a scale; the last one of an axis may be smaller.
public struct Tile: Sendable, Hashable, CustomStringConvertible {
  /// Nil for the whole axis.
  public let rows: Int?
  public let columns: Int?

  public init(rows: Int?, columns: Int?) {
    precondition(rows ?? 1 > 0 && columns ?? 1 > 0, "a tile has no empty side")
    self.rows = rows
    self.columns = columns
  }

  /// `count` neighbours in a row.
  public static func alongRow(_ count: Int) -> Tile { Tile(rows: 1, columns: count) }
  /// `count` neighbours in a column.
  public static func alongColumn(_ count: Int) -> Tile { Tile(rows: count, columns: 1) }
  public static let wholeRow = Tile(rows: 1, columns: nil)
  public static let wholeColumn = Tile(rows: nil, columns: 1)
  public static let wholeMatrix = Tile(rows: nil, columns: nil)

  /// The same part of the transposed matrix.
  public var transposed: Tile { Tile(rows: columns, columns: rows) }

  /// Height and width within a matrix.
  public func size(rows: Int, columns: Int) -> (rows: Int, columns: Int) {
    (self.rows ?? max(1, rows), self.columns ?? max(1, columns))
  }

  /// How many tiles cover a matrix.
  public func grid(rows: Int, columns: Int) -> (rows: Int, columns: Int) {
    let size = size(rows: rows, columns: columns)
    return ((rows + size.rows - 1) / size.rows, (columns + size.columns - 1) / size.columns)
  }

  public var description: String {
    "\(rows.map(String.init) ?? "all")x\(columns.map(String.init) ?? "all")"
  }
}
