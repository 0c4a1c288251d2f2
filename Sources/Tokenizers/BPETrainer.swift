/// Learns a byte-level BPE from text (Sennrich et al., 2016, over bytes as in GPT-2).
///
/// Text is split into pieces by a pattern; the most frequent pair of neighbouring tokens within pieces
/// becomes the next token, again and again. Of equally frequent pairs the one with the smaller ids wins,
/// so the same text always gives the same file. Pieces are kept with their counts: memory grows with
/// distinct pieces, not with the text.
public struct BPETrainer: Sendable {
  /// How text is split before learning; each goes into the file as the splitting step.
  public enum Pattern: String, Sendable, CaseIterable {
    case gpt2
    case llama3
    /// Also normalizes text to NFC.
    case qwen2
  }

  public let vocabularySize: Int
  public let pattern: Pattern
  public let specialTokens: [String]
  public let minimumCount: Int

  private let scanner: PieceScanner
  private let matcher: AddedTokenMatcher
  private var pieces = ByteStringTable()
  private var counts: [Int] = []

  /// Creates a trainer without text.
  ///
  /// - Parameters:
  ///   - vocabularySize: Tokens to end with: special tokens, 256 bytes, the rest learned.
  ///   - pattern: How text is split.
  ///   - specialTokens: Tokens that stand for themselves and get the first ids; their occurrences in the
  ///     text separate it and teach nothing. The first one ends a text.
  ///   - minimumCount: How often a pair must occur to become a token.
  /// - Throws: `TokenizerError.invalidTraining`.
  public init(
    vocabularySize: Int, pattern: Pattern = .gpt2, specialTokens: [String] = ["<|endoftext|>"],
    minimumCount: Int = 2,
  ) throws {
    try Self.check(vocabularySize, specialTokens, minimumCount)
    self.vocabularySize = vocabularySize
    self.pattern = pattern
    self.specialTokens = specialTokens
    self.minimumCount = minimumCount
    scanner = PieceScanner(pattern.rules)
    matcher = AddedTokenMatcher(
      specialTokens.enumerated().map { index, content in
        (TrainedBPE.addedToken(content, id: Int32(index)), Array(content.utf8))
      })
  }

  private static func check(_ size: Int, _ special: [String], _ minimumCount: Int) throws {
    guard size < Int(ComponentReader.idLimit), size >= 256 + special.count else {
      throw TokenizerError.invalidTraining(
        problem: "a vocabulary of \(size) tokens",
        hint: "choose \(256 + special.count) (256 bytes and \(special.count) special tokens) to "
          + "\(ComponentReader.idLimit - 1)")
    }
    guard minimumCount >= 1 else {
      throw TokenizerError.invalidTraining(
        problem: "pairs would have to occur \(minimumCount) times", hint: "choose 1 or more; 2 is usual")
    }
    var seen = ByteStringTable()
    for token in special {
      guard token.unicodeScalars.count >= 2 else {
        throw TokenizerError.invalidTraining(
          problem: "'\(token)' as a special token", hint: "use at least two characters, as <|endoftext|>")
      }
      guard seen.insert(token).isNew else {
        throw TokenizerError.invalidTraining(
          problem: "the special token '\(token)' is given twice", hint: "give it once")
      }
    }
  }

  /// Counts the pieces of a text.
  ///
  /// Texts are separate: no piece reaches from one into the next.
  public mutating func add(_ text: String) {
    let span = text.utf8Span.span
    for segment in matcher.segments(span, 0..<span.count, special: .recognized) where segment.token == nil {
      if let normalized = pattern.normalizer?.normalized(span, segment.range) {
        count(normalized.span, normalized.indices)
      } else {
        count(span, segment.range)
      }
    }
  }

  /// Learns from everything added so far.
  ///
  /// The result is smaller than asked for when no pair occurs `minimumCount` times any more.
  ///
  /// - Parameter progress: Called after every learned token with their number.
  /// - Returns: The vocabulary and its merges.
  /// - Throws: `TokenizerError.invalidTraining` when no text was added.
  public func train(progress: (_ learned: Int) -> Void = { _ in }) throws -> TrainedBPE {
    guard pieces.count > 0 else {
      throw TokenizerError.invalidTraining(
        problem: "there is no text to learn from", hint: "add text that is more than special tokens")
    }
    var vocabulary = LearnedVocabulary(specialTokens: specialTokens)
    var counter = PairCounter(pieces: pieces, counts: counts, byteIDs: vocabulary.idsOfBytes)
    while vocabulary.count < vocabularySize, let pair = counter.popMostFrequent(),
      pair.count >= minimumCount
    {
      guard let joined = vocabulary.join(pair.left, pair.right) else { continue }
      counter.merge(pair, into: joined)
      progress(vocabulary.merges.count)
    }
    return TrainedBPE(vocabulary: vocabulary, pattern: pattern, specialTokens: specialTokens)
  }

  private mutating func count(_ text: Span<UInt8>, _ range: Range<Int>) {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = scanner.endOfPiece(text, from: start, limit: range.upperBound)
      let (number, isNew) = pieces.insert(text, start..<end)
      if isNew { counts.append(1) } else { counts[number] += 1 }
      start = end
    }
  }
}

extension BPETrainer.Pattern {
  var rules: PieceScanner.Rules {
    switch self {
    case .gpt2: .gpt2
    case .llama3: .lineAware(digits: 3)
    case .qwen2: .lineAware(digits: 1)
    }
  }

  var normalizer: TextNormalizer? {
    switch self {
    case .gpt2, .llama3: nil
    case .qwen2: .composed
    }
  }
}

/// Tokens and merges while they are learned.
///
/// Special tokens come first, then bytes in the order of their
/// stand-ins, then what was learned.
struct LearnedVocabulary: Sendable {
  /// Spellings in stand-ins (special tokens as they are), numbered by id.
  private(set) var spellings = ByteStringTable()
  private(set) var merges: [(left: Int32, right: Int32)] = []
  private(set) var idsOfBytes = [Int32](repeating: 0, count: 256)
  private let specialCount: Int

  init(specialTokens: [String]) {
    for token in specialTokens { spellings.insert(token) }
    specialCount = specialTokens.count
    for byte in ByteAlphabet.bytesInScalarOrder {
      idsOfBytes[Int(byte)] = Int32(spellings.insert(ByteAlphabet.text(of: [byte])).number)
    }
  }

  var count: Int { spellings.count }

  /// The token of two joined ones.
  ///
  /// Two merges may make the same token, which then keeps its id.
  ///
  /// - Returns: nil when the joined spelling is that of a special token, which is never learned.
  mutating func join(_ left: Int32, _ right: Int32) -> Int32? {
    let joined = Array(spellings[Int(left)]) + Array(spellings[Int(right)])
    let number = spellings.insert(joined).number
    guard number >= specialCount else { return nil }
    merges.append((left, right))
    return Int32(number)
  }

  func spelling(_ id: Int32) -> String { String(decoding: spellings[Int(id)], as: UTF8.self) }
}
