public import Tokenizers

/// Windows over all tokens of an evaluation, in order and without overlap.
public struct EvaluationWindows: Sendable {
  /// What is scored.
  public enum Rule: Sendable, Hashable, CaseIterable {
    /// Every token but the first of all, once. A window of `context` inputs predicts the tokens after
    /// each of them, so that the label of its last position is the first token of the next window; the
    /// last window is padded. Validation while training uses this.
    case everyToken
    /// Windows of `context` tokens from the start whose first token is not scored; a last incomplete one
    /// is left out. `eval --context N` uses this, as does much of the literature on perplexity.
    case completeWindows
  }

  /// Tokens of a window.
  public let context: Int

  /// What is scored.
  public let rule: Rule

  /// Number of windows.
  public let count: Int

  /// Number of tokens that are scored.
  public let scoredTokenCount: Int

  private let tokens: TokenSequence

  /// - Parameters:
  ///   - tokens: The data.
  ///   - context: Tokens of a window: at least 1, for `completeWindows` at least 2.
  ///   - rule: What is scored.
  /// - Throws: `DataError.tooShort` or `invalidSize` if nothing would be scored.
  public init(_ tokens: TokenSequence, context: Int, rule: Rule) throws(DataError) {
    let minimum = rule == .everyToken ? 1 : 2
    guard context >= minimum else {
      throw .invalidSize(quantity: "the context", value: context, minimum: minimum)
    }
    self.tokens = tokens
    self.context = context
    self.rule = rule
    switch rule {
    case .everyToken:
      guard tokens.count >= 2 else {
        throw .tooShort(
          use: "validation", tokens: tokens.count, needed: 2,
          hint: "use more validation data, or set data.validation_fraction to 0 for none")
      }
      scoredTokenCount = tokens.count - 1
      count = (tokens.count - 2) / context + 1
    case .completeWindows:
      guard tokens.count >= context else {
        throw .tooShort(
          use: "evaluation in windows of \(context)", tokens: tokens.count, needed: context,
          hint: "use a longer text or lower --context")
      }
      count = tokens.count / context
      scoredTokenCount = count * (context - 1)
    }
  }

  /// Some windows as a batch.
  ///
  /// - Parameters:
  ///   - windows: Which, within 0..<count.
  ///   - sequences: Sequences of the batch; those beyond the windows are filled with token 0 and ignored
  ///     labels, so that a last batch has the shape of the others. By default none is added.
  /// - Precondition: The windows exist and `sequences` is not below their number.
  public func batch(_ windows: Range<Int>, sequences: Int? = nil) -> Batch {
    let total = sequences ?? windows.count
    precondition(
      windows.lowerBound >= 0 && windows.upperBound <= count && total >= windows.count,
      "windows \(windows) of \(count) in \(total) sequences")
    var batch = Batch(sequences: total, context: context, hasDocuments: tokens.endOfText != nil)
    for window in windows {
      let start = window * context
      switch rule {
      case .everyToken:
        // The last token of all is a label only.
        let end = min(start + context, tokens.count - 1)
        batch.appendSequence(start..<end, of: tokens, labelsEnd: true)
      case .completeWindows:
        batch.appendSequence(start..<start + context, of: tokens, labelsEnd: false)
      }
    }
    for _ in windows.count..<total { batch.appendSequence(0..<0, of: tokens, labelsEnd: false) }
    return batch
  }

  /// UTF-8 bytes of the text of all scored tokens, for bits per byte; special tokens have none.
  public func scoredByteCount(with tokenizer: any Tokenizer) -> Int {
    let lengths = (0..<tokens.vocabularySize).map { index in
      let id = Int32(truncatingIfNeeded: index)
      return tokenizer.isSpecial(id) ? 0 : tokenizer.bytes(of: id)?.count ?? 0
    }
    var result = 0
    for window in 0..<count {
      let start = window * context
      let end = rule == .everyToken ? min(start + context + 1, tokens.count) : start + context
      for token in tokens.tokens(in: start + 1..<end) { result += lengths[Int(token)] }
    }
    return result
  }
}
