import Kernels

/// The sizes that an attention kernel is built with.
enum AttentionShape: Hashable, Sendable {
  /// Processors: a block in the cache.
  case block(AttentionBlock)
  /// Processors, decode: keys of a block.
  case keys(Int)
  /// Graphics processors: a tile in local memory.
  case tile(AttentionTile)

  var parameters: [String: Int] {
    switch self {
    case .block(let block): block.parameters
    case .keys(let keys): ["keys": keys]
    case .tile(let tile): tile.parameters
    }
  }

  /// Macros of the kernels.
  var definitions: [String: String] {
    Dictionary(uniqueKeysWithValues: parameters.map { ($0.uppercased(), "\($1)") })
  }

  /// Nil for parameters of no shape, or sizes that the kernels cannot work with.
  init?(_ parameters: [String: Int]) {
    if let tile = AttentionTile(parameters) {
      self = .tile(tile)
    } else if let block = AttentionBlock(parameters) {
      self = .block(block)
    } else if let keys = parameters["keys"], parameters.count == 1 {
      guard keys > 0, keys <= 512, keys.isMultiple(of: 8) else { return nil }
      self = .keys(keys)
    } else {
      return nil
    }
  }

  /// The class of problems a head of this width belongs to: the smallest width that holds it, as `d64`.
  static func problem(width: Int) -> String { "d\(widths.first { $0 >= width } ?? 256)" }

  /// The largest width of a class; 256 for a name that is none.
  static func width(of problem: String) -> Int { widths.first { "d\($0)" == problem } ?? 256 }

  static let widths = [32, 64, 96, 128, 192, 256]
}

/// A work-group's tile: it owns `rows` rows of one side of the scores and walks over the other side `columns` at a
/// time; see `kernels/attention_tiles.cl`.
struct AttentionTile: Hashable, Sendable {
  var rows: Int
  var columns: Int
  /// Items of a work-group, and how many of them share a row.
  var group: Int
  var lanes: Int
  /// Floats of each row that pass through local memory at a time.
  var depth: Int
  /// Owned rows up to this width stay in local memory.
  var held: Int

  var parameters: [String: Int] {
    ["rows": rows, "columns": columns, "group": group, "lanes": lanes, "depth": depth, "held": held]
  }

  init(rows: Int, columns: Int, group: Int, lanes: Int, depth: Int = 32, held: Int = 0) {
    self.rows = rows
    self.columns = columns
    self.group = group
    self.lanes = lanes
    self.depth = depth
    self.held = held
  }

  init?(_ parameters: [String: Int]) {
    guard let rows = parameters["rows"], let columns = parameters["columns"],
      let group = parameters["group"], let lanes = parameters["lanes"], let depth = parameters["depth"],
      let held = parameters["held"], parameters.count == 6
    else { return nil }
    self.init(rows: rows, columns: columns, group: group, lanes: lanes, depth: depth, held: held)
    guard isValid else { return nil }
  }

  var isValid: Bool {
    let sizes = [rows, columns, group, lanes, depth]
    guard sizes.allSatisfy({ $0 > 0 && $0 <= 1024 }), (0...256).contains(held) else { return false }
    return [columns, lanes, depth, held].allSatisfy { $0.isMultiple(of: 4) }
      && group.isMultiple(of: lanes) && columns.isMultiple(of: lanes)
      && rows.isMultiple(of: group / lanes) && pairsPerItem <= 32
  }

  /// Scores that one item makes of a tile; their visibility is a word of bits.
  private var pairsPerItem: Int { rows * columns / group }

  /// Floats of `outputs` output rows of a width that one item keeps in registers.
  func accumulatorsPerItem(width: Int, outputs: Int) -> Int { rows * width / group * outputs }

  /// Bytes of local memory at most, `operands` owned operands being held.
  func localByteCount(operands: Int) -> Int {
    let owned = rows * max(operands * (held / 4 + 1), depth / 4 + 1)
    let stage = max(columns * (depth / 4 + 1), 4 * 256 / 4)
    let exchange = rows * lanes / 4 + group / 4
    return 16 * (owned + stage + rows * (columns / 4 + 1) + exchange)
  }

  func fits(_ device: DeviceDescription, operands: Int) -> Bool {
    device.kernelStyle == .graphics && group <= device.largestWorkGroup
      && localByteCount(operands: operands) <= device.localMemoryByteCount
  }
}
