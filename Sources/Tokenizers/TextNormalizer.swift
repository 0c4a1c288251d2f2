/// What happens to a text before it is split: the `normalizer` of a `tokenizer.json`.
enum TextNormalizer: Sendable, Equatable {
  case composed
  case decomposed
  case sequence([TextNormalizer])

  /// The names in files, for error messages.
  static let knownTypes = ["NFC", "NFD", "Sequence"]

  /// The normalized bytes of a range, or nil when they are the same bytes.
  func normalized(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    switch self {
    case .composed: Self.composed(text, range)
    case .decomposed: Self.decomposed(text, range)
    case .sequence(let normalizers): Self.applied(normalizers[...], text, range)
    }
  }

  private static func applied(
    _ normalizers: ArraySlice<TextNormalizer>, _ text: Span<UInt8>, _ range: Range<Int>,
  ) -> [UInt8]? {
    guard let first = normalizers.first else { return nil }
    let rest = normalizers.dropFirst()
    guard let changed = first.normalized(text, range) else { return applied(rest, text, range) }
    return applied(rest, changed.span, changed.indices) ?? changed
  }

  private static func decomposed(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    guard range.contains(where: { text[$0] >= 0x80 }) else { return nil }
    var scalars: [UInt32] = []
    scalars.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      let (scalar, length) = text.scalar(at: index)
      scalars.append(scalar)
      index += length
    }
    var result: [UInt8] = []
    result.reserveCapacity(range.count * 2)
    for scalar in CanonicalNormalizer.shared.decomposed(scalars) { result.append(scalar: scalar) }
    return result
  }

  /// The canonical composition (NFC).
  ///
  /// Only the neighbourhoods of scalars that can change are worked on: from the last stable scalar
  /// before them to the next stable one behind them.
  private static func composed(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    // Below U+0300 (lead byte CC) every scalar is its own composition.
    guard range.contains(where: { text[$0] >= 0xCC }) else { return nil }
    let classes = UnicodeClasses.shared
    var result: [UInt8] = []
    var copied = range.lowerBound
    var stable = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      var (scalar, length) = text.scalar(at: index)
      guard classes(scalar) & UnicodeClasses.normalizes != 0 else {
        stable = index
        index += length
        continue
      }
      var cluster: [UInt32] = []
      if stable < index { cluster.append(text.scalar(at: stable).value) }
      while index < range.upperBound {
        (scalar, length) = text.scalar(at: index)
        guard classes(scalar) & UnicodeClasses.normalizes != 0 else { break }
        cluster.append(scalar)
        index += length
      }
      result.append(text, copied..<stable)
      for scalar in CanonicalNormalizer.shared.composed(cluster) { result.append(scalar: scalar) }
      copied = index
      stable = index
    }
    guard copied > range.lowerBound else { return nil }
    result.append(text, copied..<range.upperBound)
    return result
  }
}
