import Synchronization

/// A pattern no scanner knows, matched by the general expression engine: correct, about 1 MB/s.
///
/// Classes are those of the Swift runtime's Unicode version, which may know younger letters than the
/// tables of the scanners; without regard to case, the long s is not an s here.
final class ExpressionMatcher: Sendable {
  /// The pattern as it stands in the file.
  let pattern: String

  /// `Regex` is not Sendable; one caller at a time uses it.
  private let expression: Mutex<Regex<AnyRegexOutput>>

  /// Compiles a pattern.
  ///
  /// - Throws: The engine's error when it does not understand the pattern.
  init(pattern: String) throws {
    self.pattern = pattern
    // Scalars, not grapheme clusters: a CR LF pair is two, and marks stand alone.
    let compiled = try Regex(pattern).matchingSemantics(.unicodeScalar)
    expression = Mutex(compiled)
  }

  /// The matches within a range, as byte ranges in order.
  func matches(_ text: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    bytes.append(text, range)
    let string = String(decoding: bytes, as: UTF8.self)
    return expression.withLock { expression in
      string.matches(of: expression).map { match in
        let lower = match.range.lowerBound.byteOffset(in: string)
        let upper = match.range.upperBound.byteOffset(in: string)
        return range.lowerBound + lower..<range.lowerBound + upper
      }
    }
  }
}

extension String.Index {
  /// The distance in bytes from the start of a string.
  fileprivate func byteOffset(in string: String) -> Int {
    string.utf8.distance(from: string.startIndex, to: self)
  }
}
