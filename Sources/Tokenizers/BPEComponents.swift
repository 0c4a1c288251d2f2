/// Everything of a `tokenizer.json` besides the model.
struct BPEComponents: Sendable {
  let normalizer: TextNormalizer?
  let preTokenizer: PreTokenizer
  let addedTokens: [AddedToken]
  /// Ids the template puts before and behind a text.
  let prefixIDs: [Int32]
  let suffixIDs: [Int32]
}

/// The ids that begin and end a text.
struct TextBoundaries: Sendable, Equatable {
  var beginning: Int32?
  var end: Int32?
  var stops: [Int32] = []
}
