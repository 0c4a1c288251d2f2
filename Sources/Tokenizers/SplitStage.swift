/// One step that cuts a text into parts before the model sees it: `Split` or `Digits` of a `tokenizer.json`.
struct SplitStage: Sendable {
  /// What is looked for.
  enum Matcher: Sendable {
    case scanner(PieceScanner)
    case literal([UInt8])
    case expression(ExpressionMatcher)
    case number
  }

  /// What becomes of a match, in the words of the file format.
  enum Behavior: String, Sendable, CaseIterable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
  }

  let matcher: Matcher
  let behavior: Behavior
  let isInverted: Bool

  /// The scanner, when every one of its pieces is simply a part of its own.
  var isolatingScanner: PieceScanner? {
    guard case .scanner(let scanner) = matcher else { return nil }
    switch behavior {
    case .isolated: return scanner
    // The scanners leave nothing unmatched: inverted, there is nothing to remove.
    case .removed: return isInverted ? scanner : nil
    case .mergedWithPrevious, .mergedWithNext, .contiguous: return nil
    }
  }

  /// The non-empty parts of a range, in order.
  func parts(_ text: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    var sections = sections(text, range)
    if isInverted {
      for index in sections.indices { sections[index].isMatch.toggle() }
    }
    return arranged(sections).filter { !$0.isEmpty }
  }
}

extension SplitStage {
  private typealias Section = (range: Range<Int>, isMatch: Bool)

  /// Matches and what lies between them, covering the range.
  private func sections(_ text: Span<UInt8>, _ range: Range<Int>) -> [Section] {
    var result: [Section] = []
    var covered = range.lowerBound
    func add(_ match: Range<Int>) {
      if covered < match.lowerBound { result.append((covered..<match.lowerBound, false)) }
      result.append((match, true))
      covered = match.upperBound
    }
    switch matcher {
    case .scanner(let scanner):
      while covered < range.upperBound {
        add(covered..<scanner.endOfPiece(text, from: covered, limit: range.upperBound))
      }
    case .literal(let bytes):
      for match in Self.occurrences(of: bytes, text, range) { add(match) }
    case .expression(let matcher):
      for match in matcher.matches(text, range) { add(match) }
    case .number:
      let classes = UnicodeClasses.shared
      var index = range.lowerBound
      while index < range.upperBound {
        let (scalar, length) = text.scalar(at: index)
        if classes(scalar) & UnicodeClasses.number != 0 { add(index..<index + length) }
        index += length
      }
    }
    if covered < range.upperBound { result.append((covered..<range.upperBound, false)) }
    return result
  }

  private static func occurrences(
    of bytes: [UInt8], _ text: Span<UInt8>, _ range: Range<Int>,
  ) -> [Range<Int>] {
    guard !bytes.isEmpty else { return [] }
    var result: [Range<Int>] = []
    var index = range.lowerBound
    while index + bytes.count <= range.upperBound {
      if bytes.indices.allSatisfy({ text[index + $0] == bytes[$0] }) {
        result.append(index..<index + bytes.count)
        index += bytes.count
      } else {
        index += 1
      }
    }
    return result
  }

  private func arranged(_ sections: [Section]) -> [Range<Int>] {
    switch behavior {
    case .isolated: sections.map(\.range)
    case .removed: sections.filter { !$0.isMatch }.map(\.range)
    case .contiguous: Self.merged(sections) { $0 == $1 }
    case .mergedWithPrevious: Self.merged(sections) { previous, current in current && !previous }
    case .mergedWithNext: Self.mergedWithNext(sections)
    }
  }

  /// Joins a section to the one before it where the rule says so.
  private static func merged(
    _ sections: [Section], when joins: (_ previous: Bool, _ current: Bool) -> Bool,
  ) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var previous = false
    for (range, isMatch) in sections {
      if joins(previous, isMatch), let last = result.last {
        result[result.count - 1] = last.lowerBound..<range.upperBound
      } else {
        result.append(range)
      }
      previous = isMatch
    }
    return result
  }

  private static func mergedWithNext(_ sections: [Section]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var next = false
    for (range, isMatch) in sections.reversed() {
      if isMatch, !next, let last = result.last {
        result[result.count - 1] = range.lowerBound..<last.upperBound
      } else {
        result.append(range)
      }
      next = isMatch
    }
    return result.reversed()
  }
}
