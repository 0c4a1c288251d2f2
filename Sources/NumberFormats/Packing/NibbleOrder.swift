/// Which of two neighbours is in a byte's lower half.
public enum NibbleOrder: String, Sendable, Hashable, CaseIterable {
  case lowFirst = "low_nibble_first"
  case highFirst = "high_nibble_first"

  /// Two codes of four bits per byte; an odd count leaves the last byte's other half 0.
  public func pack(_ codes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: codes.count, by: 2).map { index in
      let (first, second) = (codes[index] & 15, index + 1 < codes.count ? codes[index + 1] & 15 : 0)
      return self == .lowFirst ? first | second << 4 : first << 4 | second
    }
  }

  /// - Parameter count: At most twice the bytes.
  public func unpack(_ bytes: [UInt8], count: Int) -> [UInt8] {
    precondition(count <= 2 * bytes.count)
    return (0..<count).map { index in
      let isLow = (index % 2 == 0) == (self == .lowFirst)
      return isLow ? bytes[index / 2] & 15 : bytes[index / 2] >> 4
    }
  }
}
