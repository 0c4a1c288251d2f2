import Files
import Testing

@testable import Tokenizers

@Suite struct PipelineTests {
  private func pieces(_ splitter: JSON, _ text: String) throws -> [String] {
    try TokenizerFile.load(SmallModel.file([("pre_tokenizer", splitter)])).pieces(text)
  }

  /// The parts before the byte-level step.
  private func parts(_ splitter: JSON, _ text: String) throws -> [String] {
    let splitterValue = try TokenizerFile.load(SmallModel.file([("pre_tokenizer", splitter)]))
      .components.preTokenizer
    let bytes = Array(text.utf8)
    return splitterValue.parts(bytes.span, bytes.indices).map {
      String(decoding: bytes[$0], as: UTF8.self)
    }
  }

  @Test(arguments: [
    ("Removed", false, ["the", "final", "countdown"]), ("Removed", true, ["-", "-", "-"]),
    ("Isolated", false, ["the", "-", "final", "-", "-", "countdown"]),
    ("MergedWithPrevious", false, ["the-", "final-", "-", "countdown"]),
    ("MergedWithNext", false, ["the", "-final", "-", "-countdown"]),
    ("Contiguous", false, ["the", "-", "final", "--", "countdown"]),
  ])
  func behaviorsArrangeMatches(behavior: String, invert: Bool, expected: [String]) throws {
    for pattern: JSON in [["String": "-"], ["Regex": "-"]] {
      let splitter = SmallModel.split(pattern, behavior, invert: invert)
      #expect(try parts(splitter, "the-final--countdown") == expected)
    }
  }

  @Test func digitsAreSplitOneByOneOrTogether() throws {
    func digits(_ individually: Bool) -> JSON {
      [
        "type": "Sequence",
        "pretokenizers": [
          ["type": "Digits", "individual_digits": .bool(individually)], SmallModel.byteLevel,
        ],
      ]
    }
    #expect(try parts(digits(true), "a123½b") == ["a", "1", "2", "3", "½", "b"])
    #expect(try parts(digits(false), "a123½b") == ["a", "123½", "b"])
  }

  @Test func prefixSpaceIsAddedWhereNoneIs() throws {
    let splitter: JSON = ["type": "ByteLevel", "add_prefix_space": true, "use_regex": true]
    #expect(try pieces(splitter, "world") == [" w", "or", "l", "d"])
    #expect(try pieces(splitter, " world") == [" w", "or", "l", "d"])
    #expect(try pieces(splitter, "") == [])
    #expect(try pieces(splitter, "w<|endoftext|>w") == [" w", "<|endoftext|>", " w"])
  }

  @Test func unknownPatternIsMatchedAndMentioned() throws {
    let file = SmallModel.file([("pre_tokenizer", SmallModel.split(["Regex": #"\p{Lu}\p{Ll}*"#]))])
    let tokenizer = try TokenizerFile.load(file)
    #expect(tokenizer.notices.count == 1)
    #expect(tokenizer.notices.first?.contains(#"\p{Lu}\p{Ll}*"#) == true)
    #expect(
      try parts(SmallModel.split(["Regex": #"\p{Lu}\p{Ll}*"#]), "aHelloÉcole") == ["a", "Hello", "École"])
  }

  @Test func addedTokensTakeSpaceAndRespectWords() throws {
    let tokens: JSON = [
      SmallModel.added("<m>", 301, left: true, right: true), SmallModel.added("word", 302, word: true),
      SmallModel.added("wordy", 303), SmallModel.added("<s>", 304, special: true),
    ]
    let tokenizer = try TokenizerFile.load(SmallModel.file([("added_tokens", tokens)]))
    #expect(tokenizer.pieces("a \n<m>  b") == ["a", "<m>", "b"])
    #expect(tokenizer.pieces("a word.") == ["a", " ", "word", "."])
    #expect(tokenizer.encode("words").contains(302) == false)
    #expect(tokenizer.encode("éword").contains(302) == false)
    #expect(tokenizer.encode("wordy") == [303])
    #expect(tokenizer.encode("<s>") == [304])
    #expect(tokenizer.encode("<s>", special: .ignored).count == 3)
    #expect(tokenizer.encode("<m>", special: .ignored) == [301])
  }

  @Test func normalizedTokensAreFoundInNormalizedText() throws {
    let tokens: JSON = [SmallModel.added("é!", 301, normalized: true), SmallModel.added("è!", 302)]
    let tokenizer = try TokenizerFile.load(
      SmallModel.file([("added_tokens", tokens), ("normalizer", ["type": "NFC"])]))
    #expect(tokenizer.encode("e\u{301}!") == [301])
    #expect(tokenizer.encode("é!") == [301])
    #expect(tokenizer.encode("e\u{300}!").count == 3)
    #expect(tokenizer.encode("è!") == [302])
  }

  @Test func templateIsAppliedOnlyOnRequest() throws {
    func piece(_ kind: String, _ id: String) -> JSON {
      .object([kind: ["id": .string(id), "type_id": 0]])
    }
    let template: JSON = [
      "type": "TemplateProcessing",
      "single": [piece("SpecialToken", "B"), piece("Sequence", "A"), piece("SpecialToken", "E")],
      "special_tokens": ["B": ["id": "B", "ids": [256]], "E": ["id": "E", "ids": [300, 257]]],
    ]
    let sequence: JSON = ["type": "Sequence", "processors": [SmallModel.byteLevel, template]]
    for processor in [template, sequence] {
      let tokenizer = try TokenizerFile.load(SmallModel.file([("post_processor", processor)]))
      #expect(tokenizer.encode("hello") == [259])
      #expect(tokenizer.encode("hello", special: .added) == [256, 259, 300, 257])
    }
  }

  @Test func endsOfTextComeFromTheConfigurations() throws {
    let file = SmallModel.file([
      ("added_tokens", [SmallModel.added("<|endoftext|>", 300, special: true), SmallModel.added("<b>", 301)])
    ])
    #expect(try TokenizerFile.load(file).endOfText == 300)
    let named = try TokenizerFile.load(
      file, configuration: ["eos_token": ["content": "hello"], "bos_token": "<b>"],
      modelConfigurations: [["eos_token_id": [300, 256]], ["bos_token_id": 5]])
    #expect(named.endOfText == 259)
    #expect(named.beginningOfText == 301)
    #expect(named.stopIDs == [259, 300, 256])
    let listed = try TokenizerFile.load(file, modelConfigurations: [["eos_token_id": [256, 257]]])
    #expect(listed.endOfText == 256)
    #expect(listed.stopIDs == [256, 257])
    let wrong = try TokenizerFile.load(
      file, configuration: ["eos_token": "</none>"], modelConfigurations: [["eos_token_id": 99999]])
    #expect(wrong.endOfText == 300)
    #expect(wrong.notices.count == 2)
  }
}
