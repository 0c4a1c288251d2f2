/// Sequences of tokens with the tokens that follow them.
public struct Batch: Sendable, Equatable {
  /// The label of a position whose prediction does not count.
  public static let ignoredLabel: Int32 = -100

  /// Number of sequences.
  public let sequences: Int

  /// Tokens of a sequence.
  public let context: Int

  /// The tokens, [sequences, context].
  public private(set) var inputs: [Int32] = []

  /// The token that follows each input, or `ignoredLabel`, [sequences, context].
  ///
  /// The label of an end-of-text token is the first token of the next document: how documents begin is
  /// learned too. Only attention does not cross from one document to the next.
  public private(set) var labels: [Int32] = []

  /// Which document a position belongs to, counted within its sequence, [sequences, context].
  ///
  /// Attention sees positions of the same document only. The end-of-text token belongs to the document it ends.
  /// Nil when the data is one document.
  public private(set) var documents: [Int32]?

  /// Number of labels that count.
  public var targetCount: Int { labels.reduce(0) { $0 + ($1 == Self.ignoredLabel ? 0 : 1) } }

  init(sequences: Int, context: Int, hasDocuments: Bool) {
    self.sequences = sequences
    self.context = context
    let size = sequences * context
    inputs.reserveCapacity(size)
    labels.reserveCapacity(size)
    if hasDocuments {
      documents = []
      documents?.reserveCapacity(size)
    }
  }

  /// Adds a sequence that was made, not read.
  ///
  /// - Precondition: Inputs and labels are `context` tokens, and the batch is one document.
  mutating func appendSequence(inputs: [Int32], labels: [Int32]) {
    precondition(
      inputs.count == context && labels.count == context && documents == nil,
      "\(inputs.count) inputs and \(labels.count) labels for \(context) tokens")
    self.inputs += inputs
    self.labels += labels
  }

  /// Adds the sequence whose inputs are the tokens of a range.
  ///
  /// What the range lacks of `context` tokens is filled with token 0 and ignored labels.
  ///
  /// - Precondition: The token after the range exists if `labelsEnd` says so.
  mutating func appendSequence(_ range: Range<Int>, of tokens: TokenSequence, labelsEnd: Bool) {
    let missing = context - range.count
    tokens.append(range, to: &inputs)
    if !range.isEmpty {
      tokens.append(range.lowerBound + 1..<range.upperBound + (labelsEnd ? 1 : 0), to: &labels)
      if !labelsEnd { labels.append(Self.ignoredLabel) }
    }
    inputs.append(contentsOf: repeatElement(0, count: missing))
    labels.append(contentsOf: repeatElement(Self.ignoredLabel, count: missing))
    guard documents != nil else { return }
    var document: Int32 = 0
    for token in inputs.suffix(context) {
      documents?.append(document)
      if token == tokens.endOfText { document += 1 }
    }
  }
}
