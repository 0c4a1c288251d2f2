/// The `pre_tokenizer` of a byte-level file: splitting steps, then the byte-level step.
struct PreTokenizer: Sendable {
  /// Steps before the byte-level one.
  let stages: [SplitStage]

  /// Whether the byte-level step puts a space before a part that does not begin with one.
  let addsPrefixSpace: Bool

  /// The byte-level step's own splitting, if it is switched on.
  let byteLevelScanner: PieceScanner?

  /// The only splitter, when one scanner does everything: then no list of parts is needed.
  let soleScanner: PieceScanner?

  init(stages: [SplitStage], addsPrefixSpace: Bool, splitsLikeGPT2: Bool) {
    self.stages = stages
    self.addsPrefixSpace = addsPrefixSpace
    byteLevelScanner = splitsLikeGPT2 ? PieceScanner(.gpt2) : nil
    if addsPrefixSpace {
      soleScanner = nil
    } else if stages.isEmpty {
      soleScanner = byteLevelScanner
    } else if stages.count == 1, !splitsLikeGPT2 {
      soleScanner = stages[0].isolatingScanner
    } else {
      soleScanner = nil
    }
  }

  /// The parts of a range after all steps before the byte-level one.
  func parts(_ text: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    var parts = range.isEmpty ? [] : [range]
    for stage in stages {
      var finer: [Range<Int>] = []
      for part in parts { finer.append(contentsOf: stage.parts(text, part)) }
      parts = finer
    }
    return parts
  }
}
