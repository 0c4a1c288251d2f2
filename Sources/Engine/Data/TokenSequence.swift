import Files

/// Tokens in order, held compactly: two bytes each where the vocabulary allows, or left in mapped files.
///
/// Every token is in 0..<vocabularySize; that was checked when the sequence was made.
public struct TokenSequence: Sendable {
  /// Number of tokens.
  public let count: Int

  /// Smallest vocabulary that the tokens were checked against.
  public let vocabularySize: Int

  /// The id that ends a document; nil when no such token occurs, so that everything is one document.
  public let endOfText: Int32?

  private let segments: [Segment]

  /// Consecutive tokens of one storage.
  struct Segment: Sendable {
    let storage: Storage
    /// Position of the first token within the storage.
    let offset: Int
    let count: Int
    /// Position of the first token within the sequence.
    fileprivate(set) var start = 0
  }

  enum Storage: Sendable {
    case narrow([UInt16])
    case wide([Int32])
    /// A .bin file; tokens of two or four bytes.
    case file(MappedFile, TokenFile)
  }

  /// - Precondition: The tokens of the segments are below the vocabulary size.
  init(_ segments: [Segment], vocabularySize: Int, endOfText: Int32?) {
    var start = 0
    var placed: [Segment] = []
    for var segment in segments where segment.count > 0 {
      segment.start = start
      start += segment.count
      placed.append(segment)
    }
    self.segments = placed
    self.vocabularySize = vocabularySize
    self.endOfText = endOfText
    count = start
  }

  /// The token at a position.
  ///
  /// - Precondition: The position is in 0..<count.
  public subscript(position: Int) -> Int32 {
    var result: [Int32] = []
    append(position..<position + 1, to: &result)
    return result[0]
  }

  /// The tokens of a range.
  ///
  /// - Precondition: The range is within 0..<count.
  public func tokens(in range: Range<Int>) -> [Int32] {
    var result: [Int32] = []
    result.reserveCapacity(range.count)
    append(range, to: &result)
    return result
  }

  /// Appends the tokens of a range to an array.
  ///
  /// - Precondition: The range is within 0..<count.
  public func append(_ range: Range<Int>, to result: inout [Int32]) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "tokens \(range) of a sequence of \(count)")
    var position = range.lowerBound
    var index = segmentIndex(of: position)
    while position < range.upperBound {
      let segment = segments[index]
      let end = min(range.upperBound, segment.start + segment.count)
      let first = segment.offset + position - segment.start
      segment.storage.append(first..<first + end - position, to: &result)
      position = end
      index += 1
    }
  }

  /// The tokens of a range as a sequence that shares the storage.
  ///
  /// - Precondition: The range is within 0..<count.
  public func slice(_ range: Range<Int>) -> TokenSequence {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "tokens \(range) of a sequence of \(count)")
    let parts = segments.compactMap { segment -> Segment? in
      let part = range.clamped(to: segment.start..<segment.start + segment.count)
      if part.isEmpty { return nil }
      let offset = segment.offset + part.lowerBound - segment.start
      return Segment(storage: segment.storage, offset: offset, count: part.count)
    }
    return TokenSequence(parts, vocabularySize: vocabularySize, endOfText: endOfText)
  }

  /// The last segment that begins at or before a position.
  private func segmentIndex(of position: Int) -> Int {
    var low = 0
    var high = segments.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if segments[middle].start <= position { low = middle } else { high = middle }
    }
    return low
  }
}

extension TokenSequence.Storage {
  fileprivate func append(_ range: Range<Int>, to result: inout [Int32]) {
    switch self {
    case .narrow(let tokens): for token in tokens[range] { result.append(Int32(token)) }
    case .wide(let tokens): result.append(contentsOf: tokens[range])
    case .file(let file, let layout):
      file.withBytes { bytes in
        // Checked against the vocabulary before, so the conversion keeps the value.
        for index in range { result.append(Int32(truncatingIfNeeded: layout.token(bytes, index))) }
      }
    }
  }
}

extension TokenFile {
  /// The token at an index, not checked against anything.
  func token(_ bytes: Span<UInt8>, _ index: Int) -> UInt32 {
    let place = offset + index * width
    let low = UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
    return width == 2 ? low : low | UInt32(bytes[place + 2]) << 16 | UInt32(bytes[place + 3]) << 24
  }
}

extension TokenSequence {
  /// Holds given tokens.
  ///
  /// - Parameters:
  ///   - tokens: The ids in order.
  ///   - vocabularySize: Number of ids.
  ///   - endOfText: The id that ends a document, if any.
  ///   - name: What the tokens are, for messages.
  /// - Throws: `DataError.tokenOutOfRange`.
  public init(
    _ tokens: [Int32], vocabularySize: Int, endOfText: Int32? = nil, name: String = "the tokens",
  ) throws(DataError) {
    var builder = TokenBuilder(vocabularySize: vocabularySize, endOfText: endOfText, name: name)
    try builder.append(tokens)
    self = builder.finished()
  }
}

/// Collects tokens, checks them and packs them.
struct TokenBuilder {
  private let vocabularySize: Int
  private let endOfText: Int32?
  private let name: String
  private let isNarrow: Bool
  private var narrow: [UInt16] = []
  private var wide: [Int32] = []
  private var hasEndOfText = false

  init(vocabularySize: Int, endOfText: Int32?, name: String) {
    self.vocabularySize = vocabularySize
    self.endOfText = endOfText
    self.name = name
    isNarrow = vocabularySize <= 1 << 16
  }

  private var count: Int { isNarrow ? narrow.count : wide.count }

  mutating func append(_ tokens: [Int32]) throws(DataError) {
    for index in tokens.indices {
      let token = tokens[index]
      guard token >= 0, Int(token) < vocabularySize else {
        throw .tokenOutOfRange(
          name: name, position: count + (isNarrow ? 0 : index), token: Int(token),
          vocabularySize: vocabularySize)
      }
      if token == endOfText { hasEndOfText = true }
      if isNarrow { narrow.append(UInt16(truncatingIfNeeded: token)) }
    }
    if !isNarrow { wide.append(contentsOf: tokens) }
  }

  func finished() -> TokenSequence {
    TokenSequence(
      [.init(storage: isNarrow ? .narrow(narrow) : .wide(wide), offset: 0, count: count)],
      vocabularySize: vocabularySize, endOfText: hasEndOfText ? endOfText : nil)
  }
}
