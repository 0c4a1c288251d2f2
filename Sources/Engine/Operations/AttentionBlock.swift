import Kernels

/// The block of queries and keys that one work-item of the attention kernels for processors keeps in its cache; see
/// `kernels/attention_common.cl`.
struct AttentionBlock: Hashable, Sendable {
  let rows: Int
  let keys: Int
  /// Floats per vector: 16 (register tile 8 x 32) or 8 (4 x 24).
  let vector: Int

  /// Query rows of a strip, which lie along two vectors of 16 or three of 8.
  private var strip: Int { vector == 16 ? 32 : 24 }
  /// Keys that a register tile takes at a time.
  private var tile: Int { vector == 16 ? 8 : 4 }

  var parameters: [String: Int] { ["rows": rows, "keys": keys, "vector": vector] }

  private init(_ rows: Int, _ keys: Int, vector: Int) {
    self.rows = rows
    self.keys = keys
    self.vector = vector
  }

  /// Nil for parameters of something else, or sizes that the kernels cannot work with.
  init?(_ parameters: [String: Int]) {
    guard let rows = parameters["rows"], let keys = parameters["keys"], let vector = parameters["vector"],
      parameters.count == 3
    else { return nil }
    self.init(rows, keys, vector: vector)
    guard vector == 8 || vector == 16, rows > 0, rows <= 384, rows.isMultiple(of: strip), keys > 0,
      keys <= 512, keys.isMultiple(of: tile)
    else { return nil }
  }

  // MARK: For a device

  /// The vectors of a device; never less than 8, which drivers split where they have to.
  static func vector(of device: DeviceDescription) -> Int { device.nativeFloatWidth >= 16 ? 16 : 8 }

  /// The forward's block for heads of a class of widths.
  static func forward(width: Int, vector: Int) -> AttentionBlock {
    if vector == 16 {
      let rows = [32: 256, 64: 256, 96: 192, 128: 192, 192: 128][width] ?? 96
      return AttentionBlock(rows, width <= 96 ? 96 : 64, vector: vector)
    }
    let keys = width <= 64 ? 96 : width <= 96 ? 64 : width <= 192 ? 48 : 24
    return AttentionBlock(width <= 128 ? 96 : 48, keys, vector: vector)
  }

  /// The gradient's block.
  static func backward(width: Int, vector: Int) -> AttentionBlock {
    if vector == 16 {
      let rows = width <= 128 ? 160 : width <= 192 ? 96 : 64
      return AttentionBlock(rows, width <= 64 ? 64 : 48, vector: vector)
    }
    let rows = [32: 96, 64: 72, 96: 48, 128: 48][width] ?? 24
    let keys = [32: 64, 64: 48, 96: 48, 128: 24, 192: 32][width] ?? 24
    return AttentionBlock(rows, keys, vector: vector)
  }

  static func forwardCandidates(width: Int, vector: Int) -> [AttentionBlock] {
    let rows = vector == 16 ? [64, 128, 192, 256] : [48, 72, 96, 144]
    return blocks(rows: rows, keys: vector == 16 ? [48, 64, 96, 128] : [24, 48, 64, 96, 128], vector) {
      // Queries, outputs, keys, values and one strip of scores.
      2 * $0.rows * width + 2 * $0.keys * (width + vector) + $0.strip * $0.keys
    } + [forward(width: width, vector: 24 - vector)]
  }

  static func backwardCandidates(width: Int, vector: Int) -> [AttentionBlock] {
    let rows = vector == 16 ? [32, 64, 96, 128, 160, 192] : [24, 48, 72, 96, 120]
    return blocks(rows: rows, keys: vector == 16 ? [32, 48, 64] : [24, 32, 48, 64], vector) {
      // Queries and output gradients, both also transposed, dq, keys, values, scores and their gradients.
      $0.rows * (5 * width + 2 * vector) + 2 * $0.keys * (width + vector) + 2 * $0.rows * $0.keys
    } + [backward(width: width, vector: 24 - vector)]
  }

  /// Blocks whose private arrays, `floats` of them, are neither so small that keys and values are read too often nor
  /// so large that they leave the second-level caches, which processors with vectors of 16 have larger.
  private static func blocks(
    rows: [Int], keys: [Int], _ vector: Int, floats: (AttentionBlock) -> Int,
  ) -> [AttentionBlock] {
    rows.flatMap { rows in keys.map { AttentionBlock(rows, $0, vector: vector) } }
      .filter { (32_000...(vector == 16 ? 600_000 : 400_000)).contains(4 * floats($0)) }
  }
}
