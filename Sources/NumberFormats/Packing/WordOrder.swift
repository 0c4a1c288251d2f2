/// Codes in words of 32 bits, the first in the lowest ones; every row begins a word (compressed-tensors).
public enum WordOrder {
  /// - Parameters:
  ///   - codes: Rows of `columns`, each below `2^bits`.
  ///   - bits: 2, 4 or 8.
  public static func pack(_ codes: [UInt8], columns: Int, bits: Int) -> [UInt32] {
    let perWord = 32 / bits
    let words = words(columns: columns, bits: bits)
    var packed = [UInt32](repeating: 0, count: columns > 0 ? codes.count / columns * words : 0)
    for index in codes.indices {
      let (row, column) = (index / columns, index % columns)
      packed[row * words + column / perWord] |= UInt32(codes[index]) << UInt32(column % perWord * bits)
    }
    return packed
  }

  /// - Parameter words: What ``pack(_:columns:bits:)`` gave.
  public static func unpack(_ words: [UInt32], columns: Int, bits: Int) -> [UInt8] {
    let perWord = 32 / bits
    let perRow = Self.words(columns: columns, bits: bits)
    let rows = perRow > 0 ? words.count / perRow : 0
    let mask = UInt32(1 << bits - 1)
    return (0..<rows * columns).map { index in
      let (row, column) = (index / columns, index % columns)
      return UInt8(words[row * perRow + column / perWord] >> UInt32(column % perWord * bits) & mask)
    }
  }

  /// Words of a row.
  public static func words(columns: Int, bits: Int) -> Int { (columns * bits + 31) / 32 }
}
