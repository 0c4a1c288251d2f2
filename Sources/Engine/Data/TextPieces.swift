/// Cuts long texts into pieces that are encoded one after the other, so that memory stays small and
/// progress shows, without a change of the tokens.
enum TextPieces {
  /// Bytes of a piece, roughly.
  static let target = 1 << 20

  /// Bytes on each side that must encode alike with and without the cut.
  private static let probe = 128

  /// Places that are tried before the rest of the text is taken as one piece.
  private static let attempts = 64

  /// Where the piece that begins at `start` ends.
  ///
  /// Candidates lie between a letter and a space, or behind a single line end, where the usual splitters of
  /// byte-pair encodings begin a new word; `isSafe` decides.
  static func end(
    _ bytes: Span<UInt8>, from start: Int, limit: Int, isSafe: (_ left: [UInt8], _ right: [UInt8]) -> Bool,
  ) -> Int {
    if limit - start <= target + probe { return limit }
    var place = start + target
    var attempts = 0
    while place < limit - probe, attempts < Self.attempts {
      if isCandidate(bytes, place) {
        attempts += 1
        let left = copy(bytes, max(start, place - probe)..<place)
        if isSafe(left, copy(bytes, place..<place + probe)) { return place }
      }
      place += 1
    }
    return limit
  }

  static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    for index in range { result.append(bytes[index]) }
    return result
  }

  private static func isCandidate(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
    let left = bytes[place - 1]
    let right = bytes[place]
    if right == UInt8(ascii: " ") { return isLetter(left) }
    return left == UInt8(ascii: "\n") && !isSpace(right) && !isSpace(bytes[place - 2])
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (byte >= 0x09 && byte <= 0x0D)
  }
}
