/// How four codes of six bits become three bytes.
public enum SixBitOrder: String, Sendable, Hashable, CaseIterable {
  /// One little-endian word, the first code in its lowest bits.
  case lowFirst = "lsb_first"
  /// One big-endian word, the first code in its highest bits (FP6-LLM's row-major input).
  case highFirst = "msb_first"

  /// - Parameter codes: A multiple of four.
  public func pack(_ codes: [UInt8]) -> [UInt8] {
    precondition(codes.count % 4 == 0, "six-bit codes are packed by fours")
    return stride(from: 0, to: codes.count, by: 4).flatMap { start in
      var word: UInt32 = 0
      for place in 0..<4 { word |= UInt32(codes[start + place] & 63) << shift(place) }
      return self == .lowFirst
        ? [UInt8(word & 255), UInt8(word >> 8 & 255), UInt8(word >> 16)]
        : [UInt8(word >> 16), UInt8(word >> 8 & 255), UInt8(word & 255)]
    }
  }

  /// - Parameter bytes: A multiple of three.
  public func unpack(_ bytes: [UInt8]) -> [UInt8] {
    precondition(bytes.count % 3 == 0, "six-bit codes come in groups of three bytes")
    return stride(from: 0, to: bytes.count, by: 3).flatMap { start in
      let parts = (0..<3).map { UInt32(bytes[start + $0]) }
      let word =
        self == .lowFirst
        ? parts[0] | parts[1] << 8 | parts[2] << 16 : parts[0] << 16 | parts[1] << 8 | parts[2]
      return (0..<4).map { UInt8(word >> shift($0) & 63) }
    }
  }

  private func shift(_ place: Int) -> UInt32 { UInt32(6 * (self == .lowFirst ? place : 3 - place)) }
}

/// Codes of six bits in two planes, so that both load in whole bytes: the two high bits, and the four low ones; in each
/// the first code has a byte's highest bits.
public struct SixBitPlanes: Sendable, Hashable {
  public let high: [UInt8]
  public let low: [UInt8]

  /// - Parameter codes: A multiple of four.
  public init(_ codes: [UInt8]) {
    precondition(codes.count % 4 == 0, "six-bit codes are packed by fours")
    low = NibbleOrder.highFirst.pack(codes)
    high = stride(from: 0, to: codes.count, by: 4).map { start in
      (0..<4).reduce(0) { $0 << 2 | codes[start + $1] >> 4 & 3 }
    }
  }

  public var codes: [UInt8] {
    NibbleOrder.highFirst.unpack(low, count: 2 * low.count).enumerated().map { index, nibble in
      nibble | (high[index / 4] >> UInt8(6 - 2 * (index % 4)) & 3) << 4
    }
  }
}
