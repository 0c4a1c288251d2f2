/// A token that is found in the text itself, before any splitting: an entry of `added_tokens`.
struct AddedToken: Sendable, Equatable {
  let id: Int32
  let content: String
  /// Hidden from readers, and text like any other when special tokens are ignored.
  let isSpecial: Bool
  /// Whether it must not touch letters, digits or underscores.
  let isSingleWord: Bool
  /// Whether white space before it belongs to it.
  let stripsLeft: Bool
  /// Whether white space behind it belongs to it.
  let stripsRight: Bool
  /// Whether it is looked for in the normalized text.
  let isNormalized: Bool
}

/// Finds tokens in a text: the leftmost, and of those that begin there the longest.
struct AddedTokenMatcher: Sendable {
  /// A part of a text: a token, or text between tokens.
  struct Segment: Sendable, Equatable {
    let range: Range<Int>
    let token: Int32?
  }

  private let tokens: [AddedToken]
  /// Children of the nodes of a trie over bytes, keyed by node and byte.
  private var children: [UInt64: Int] = [:]
  /// The token that ends at a node; -1 for none.
  private var endings: [Int] = [-1]
  private var isFirstByte = [Bool](repeating: false, count: 256)

  /// - Parameter tokens: Tokens with the bytes to look for; of equal bytes the first counts.
  init(_ tokens: [(token: AddedToken, bytes: [UInt8])]) {
    self.tokens = tokens.map(\.token)
    for (index, (_, bytes)) in tokens.enumerated() where !bytes.isEmpty {
      isFirstByte[Int(bytes[0])] = true
      var node = 0
      for byte in bytes {
        let key = UInt64(node) << 8 | UInt64(byte)
        if let child = children[key] {
          node = child
        } else {
          node = endings.count
          children[key] = node
          endings.append(-1)
        }
      }
      if endings[node] < 0 { endings[node] = index }
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// Cuts a range at its tokens; no segment of text is empty.
  func segments(_ text: Span<UInt8>, _ range: Range<Int>, special: SpecialTokenUse) -> [Segment] {
    var result: [Segment] = []
    var covered = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      guard isFirstByte[Int(text[index])], let (token, end) = longestMatch(text, index, range.upperBound)
      else {
        index += 1
        continue
      }
      let match = index..<end
      index = end
      if token.isSpecial, special == .ignored { continue }
      if token.isSingleWord, touchesWord(text, match, range) { continue }
      var lower = match.lowerBound
      if token.stripsLeft { lower = max(startOfSpace(text, lower, range.lowerBound), covered) }
      let upper =
        token.stripsRight ? endOfSpace(text, match.upperBound, range.upperBound) : match.upperBound
      // Nothing is left of a token within the white space that the one before it took. One that does not
      // strip to its left counts even there, as in the reference library.
      guard lower < upper else { continue }
      if covered < lower { result.append(Segment(range: covered..<lower, token: nil)) }
      result.append(Segment(range: lower..<upper, token: token.id))
      covered = upper
    }
    if covered < range.upperBound { result.append(Segment(range: covered..<range.upperBound, token: nil)) }
    return result
  }
}

extension AddedTokenMatcher {
  private func longestMatch(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> (AddedToken, end: Int)? {
    var node = 0
    var index = start
    var found: (AddedToken, end: Int)?
    while index < limit, let child = children[UInt64(node) << 8 | UInt64(text[index])] {
      node = child
      index += 1
      if endings[node] >= 0 { found = (tokens[endings[node]], index) }
    }
    return found
  }

  private func touchesWord(_ text: Span<UInt8>, _ match: Range<Int>, _ range: Range<Int>) -> Bool {
    let classes = UnicodeClasses.shared
    if match.lowerBound > range.lowerBound {
      let before = text.scalar(before: match.lowerBound, notBefore: range.lowerBound).value
      if classes(before) & UnicodeClasses.word != 0 { return true }
    }
    guard match.upperBound < range.upperBound else { return false }
    return classes(text.scalar(at: match.upperBound).value) & UnicodeClasses.word != 0
  }

  private func startOfSpace(_ text: Span<UInt8>, _ end: Int, _ limit: Int) -> Int {
    var start = end
    while start > limit {
      let (scalar, length) = text.scalar(before: start, notBefore: limit)
      guard UnicodeClasses.shared(scalar) & UnicodeClasses.space != 0 else { break }
      start -= length
    }
    return start
  }

  private func endOfSpace(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var end = start
    while end < limit {
      let (scalar, length) = text.scalar(at: end)
      guard UnicodeClasses.shared(scalar) & UnicodeClasses.space != 0 else { break }
      end += length
    }
    return end
  }
}
