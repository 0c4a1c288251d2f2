import Kernels

/// The shape of `matmul_tiled.cl`: a work-group's tile of the result, a work-item's part of it, steps along k.
public struct MatMulTiles: Hashable, Sendable {
  /// Rows and columns of the result per work-group.
  public let rows: Int
  public let columns: Int
  /// Elements of k per step.
  public let depth: Int
  /// Rows and columns of the result per work-item.
  public let itemRows: Int
  public let itemColumns: Int
  /// Tiles in local memory: 2 to load the next while one is used, 1 to save memory.
  public let buffers: Int
  /// How many work-groups may share one tile of the result, each a part of k, where the grid is small.
  public let splits: Int

  /// Nil for shapes that the kernel is not written for.
  init?(
    rows: Int, columns: Int, depth: Int, itemRows: Int, itemColumns: Int, buffers: Int = 2, splits: Int = 16,
  ) {
    guard rows > 0, columns > 0, depth > 0, itemRows > 0, itemColumns > 0, rows <= 256, columns <= 256,
      itemRows <= 16, itemColumns <= 16, depth <= 64, itemRows.isMultiple(of: 4),
      itemColumns.isMultiple(of: 4), depth.isMultiple(of: 4), rows.isMultiple(of: itemRows),
      columns.isMultiple(of: itemColumns), (1...2).contains(buffers), (1...64).contains(splits)
    else { return nil }
    // Every work-item fetches the same number of vectors of both tiles.
    let lanes = rows / itemRows * (columns / itemColumns)
    guard (rows * depth).isMultiple(of: 4 * lanes), (columns * depth).isMultiple(of: 4 * lanes) else {
      return nil
    }
    self.rows = rows
    self.columns = columns
    self.depth = depth
    self.itemRows = itemRows
    self.itemColumns = itemColumns
    self.buffers = buffers
    self.splits = splits
  }

  var lanes: Int { rows / itemRows * (columns / itemColumns) }

  /// The work-group of `matmul_split_sum`: no larger than that of the product, which fits the device.
  var sumLanes: Int { min(64, lanes) }

  var localByteCount: Int { buffers * depth * (rows + columns + 8) * MemoryLayout<Float>.size }

  var definitions: [String: String] {
    [
      "TILE_ROWS": "\(rows)", "TILE_COLUMNS": "\(columns)", "TILE_DEPTH": "\(depth)",
      "ITEM_ROWS": "\(itemRows)", "ITEM_COLUMNS": "\(itemColumns)", "BUFFERS": "\(buffers)",
      "SUM_LANES": "\(sumLanes)",
    ]
  }

  // MARK: As a configuration

  var parameters: [String: Int] {
    [
      "tile_rows": rows, "tile_columns": columns, "tile_depth": depth, "item_rows": itemRows,
      "item_columns": itemColumns, "buffers": buffers, "splits": splits,
    ]
  }

  init?(parameters: [String: Int]) {
    guard let rows = parameters["tile_rows"], let columns = parameters["tile_columns"],
      let depth = parameters["tile_depth"], let itemRows = parameters["item_rows"],
      let itemColumns = parameters["item_columns"], let buffers = parameters["buffers"],
      let splits = parameters["splits"], parameters.count == 7
    else { return nil }
    self.init(
      rows: rows, columns: columns, depth: depth, itemRows: itemRows, itemColumns: itemColumns,
      buffers: buffers, splits: splits)
  }

  /// From the best to the one that every device can run.
  static func standard(for device: DeviceDescription, isLarge: Bool) -> MatMulTiles {
    let choices =
      (isLarge ? [large] : []) + [
        MatMulTiles(rows: 64, columns: 64, depth: 16, itemRows: 4, itemColumns: 4),
        MatMulTiles(rows: 64, columns: 64, depth: 16, itemRows: 8, itemColumns: 8),
        MatMulTiles(rows: 32, columns: 32, depth: 16, itemRows: 4, itemColumns: 4),
      ]
    return choices.compactMap(\.self).first { MatMulConfiguration.tiles($0).fits(device) } ?? smallest
  }

  private static let large = MatMulTiles(rows: 128, columns: 128, depth: 8, itemRows: 8, itemColumns: 8)

  /// One work-item alone, 256 bytes of local memory.
  private static let smallest: MatMulTiles = {
    guard
      let tiles = MatMulTiles(
        rows: 4, columns: 4, depth: 4, itemRows: 4, itemColumns: 4, buffers: 1, splits: 1)
    else { preconditionFailure("the smallest tile of matmul_tiled.cl") }
    return tiles
  }()

  /// Tiles from 32 x 32 to 128 x 128 with 32 to 256 work-items, deep and flat, with and without splitting k.
  static func candidates() -> [MatMulTiles] {
    let shapes: [(rows: Int, columns: Int, itemRows: Int, itemColumns: Int)] = [
      (32, 32, 4, 4), (32, 64, 4, 8), (64, 32, 8, 4), (64, 64, 4, 4), (64, 64, 8, 4), (64, 64, 8, 8),
      (64, 128, 8, 8), (128, 64, 8, 8), (128, 128, 8, 8),
    ]
    let steps: [(depth: Int, buffers: Int, splits: Int)] = [(8, 2, 16), (16, 2, 16), (32, 1, 16), (16, 2, 1)]
    return shapes.flatMap { shape in
      steps.compactMap { step in
        MatMulTiles(
          rows: shape.rows, columns: shape.columns, depth: step.depth, itemRows: shape.itemRows,
          itemColumns: shape.itemColumns, buffers: step.buffers, splits: step.splits)
      }
    }
  }
}
