/// The randomized Hadamard transform of neighbours: `y = (x signs) H / sqrt(n)`, `H[i][j] = (-1)^popcount(i & j)`.
///
/// Sums of pairs at the distances 1, 2, 4, ...: the order is part of the definition, so that bits agree everywhere.
public struct HadamardTransform: Sendable, Hashable {
  public let size: Int
  public let signs: [Float]

  /// - Parameters:
  ///   - size: A power of two.
  ///   - signs: As many, each 1 or -1.
  public init(size: Int, signs: [Float]) {
    precondition(size > 0 && size.nonzeroBitCount == 1 && signs.count == size)
    self.size = size
    self.signs = signs
  }

  /// Random signs.
  public static func signs(size: Int, seed: UInt64) -> [Float] {
    let bits = RoundingBits(seed: seed)
    return (0..<size).map { bits.bits(UInt32($0)) >> 31 == 0 ? 1 : -1 }
  }

  public func apply(to block: inout [Float]) {
    for index in block.indices { block[index] *= signs[index] }
    var distance = 1
    while distance < size {
      for index in block.indices where index & distance == 0 {
        let (a, b) = (block[index], block[index + distance])
        block[index] = a + b
        block[index + distance] = a - b
      }
      distance *= 2
    }
    let scale = 1 / Float(size).squareRoot()
    for index in block.indices { block[index] *= scale }
  }

  /// Transforms all runs of `size` neighbours of a matrix in place.
  public func apply(to values: inout [Float], rows: Int, columns: Int, downColumns: Bool) {
    let step = downColumns ? columns : 1
    for start in values.indices {
      let place = downColumns ? start / columns : start % columns
      guard place % size == 0 else { continue }
      var block = (0..<size).map { values[start + $0 * step] }
      apply(to: &block)
      for index in 0..<size { values[start + index * step] = block[index] }
    }
  }
}
