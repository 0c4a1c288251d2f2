public import Files

/// What `BPETrainer` learned: a tokenizer, and the files other tools load.
public struct TrainedBPE: Sendable {
  public let pattern: BPETrainer.Pattern
  public let specialTokens: [String]
  private let vocabulary: LearnedVocabulary

  init(vocabulary: LearnedVocabulary, pattern: BPETrainer.Pattern, specialTokens: [String]) {
    self.vocabulary = vocabulary
    self.pattern = pattern
    self.specialTokens = specialTokens
  }

  /// Number of tokens: special ones, 256 bytes and learned ones.
  public var vocabularySize: Int { vocabulary.count }

  /// Number of learned merges.
  public var mergeCount: Int { vocabulary.merges.count }

  /// The tokenizer, made from the very values that go into the files.
  ///
  /// The first special token ends a text.
  public func tokenizer() throws -> BPETokenizer {
    try TokenizerFile.load(
      tokenizerFile, source: "the trained tokenizer", configuration: configurationFile)
  }

  /// Writes `tokenizer.json` and `tokenizer_config.json` into an existing folder, replacing older ones.
  ///
  /// - Throws: `FileError`.
  public func write(to folder: String) throws {
    try tokenizerFile.write(to: TokenizerFile.join(folder, TokenizerFile.name))
    try configurationFile.write(to: TokenizerFile.join(folder, "tokenizer_config.json"))
  }

  /// The value of `tokenizer.json`.
  public var tokenizerFile: JSON {
    [
      "version": "1.0",
      "truncation": nil,
      "padding": nil,
      "added_tokens": .array(specialTokens.enumerated().map { Self.entry($1, id: $0) }),
      "normalizer": pattern.normalizer == .composed ? ["type": "NFC"] : nil,
      "pre_tokenizer": preTokenizer,
      "post_processor": nil,
      "decoder": byteLevel(.splitting),
      "model": model,
    ]
  }

  /// The value of `tokenizer_config.json`.
  public var configurationFile: JSON {
    var members: [(key: String, value: JSON)] = [
      ("tokenizer_class", "PreTrainedTokenizerFast"),
      ("clean_up_tokenization_spaces", false),
    ]
    if let first = specialTokens.first {
      members.append(("bos_token", .string(first)))
      members.append(("eos_token", .string(first)))
    }
    return .object(JSONObject(members))
  }

  /// A special token as files describe it.
  static func addedToken(_ content: String, id: Int32) -> AddedToken {
    AddedToken(
      id: id, content: content, isSpecial: true, isSingleWord: false, stripsLeft: false,
      stripsRight: false, isNormalized: false)
  }
}

extension TrainedBPE {
  private static func entry(_ content: String, id: Int) -> JSON {
    [
      "id": .integer(Int64(id)), "content": .string(content), "single_word": false, "lstrip": false,
      "rstrip": false, "normalized": false, "special": true,
    ]
  }

  private enum ByteLevelUse {
    case splitting
    case mappingOnly
  }

  private func byteLevel(_ use: ByteLevelUse) -> JSON {
    [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
      "use_regex": .bool(use == .splitting),
    ]
  }

  private var preTokenizer: JSON {
    let expression: String
    switch pattern {
    case .gpt2: return byteLevel(.splitting)
    case .llama3: expression = PieceScanner.llama3Pattern
    case .qwen2: expression = PieceScanner.qwen2Pattern
    }
    let split: JSON = [
      "type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated", "invert": false,
    ]
    return ["type": "Sequence", "pretokenizers": [split, byteLevel(.mappingOnly)]]
  }

  private var model: JSON {
    let ids = Int32(0)..<Int32(vocabulary.count)
    let tokens = ids.map { (key: vocabulary.spelling($0), value: JSON.integer(Int64($0))) }
    let merges = vocabulary.merges.map { merge in
      JSON.array([.string(vocabulary.spelling(merge.left)), .string(vocabulary.spelling(merge.right))])
    }
    return [
      "type": "BPE",
      "dropout": nil,
      "unk_token": nil,
      "continuing_subword_prefix": nil,
      "end_of_word_suffix": nil,
      "fuse_unk": false,
      "byte_fallback": false,
      "ignore_merges": false,
      "vocab": .object(JSONObject(tokens)),
      "merges": .array(merges),
    ]
  }
}
