import Files
import Testing

@testable import Tokenizers

@Suite struct LoadingTests {
  /// What is changed in a good file, and what the error must say.
  static let badFiles: [(JSON, [String])] = [
    ([], ["the file", "an array", "an object"]),
    (SmallModel.file([("model", nil)]), ["'model'", "null"]),
    (SmallModel.file(model: [("type", "WordPiece")]), ["'WordPiece'", "model.type", "BPE"]),
    (SmallModel.file(model: [("vocab", [])]), ["model.vocab", "an object"]),
    (SmallModel.file(model: [("vocab", [:])]), ["model.vocab", "no tokens"]),
    (SmallModel.file(model: [("vocab", ["a": "b"])]), ["model.vocab.a", "a string"]),
    (SmallModel.file(model: [("vocab", ["a": 0, "b": 1.5])]), ["model.vocab.b", "a number"]),
    (SmallModel.file(model: [("vocab", ["a": 1, "b": 1])]), ["'a' and 'b'", "id 1"]),
    (SmallModel.file(model: [("vocab", ["a": -1])]), ["-1", "outside"]),
    (SmallModel.file(model: [("vocab", ["a": 2_147_483_647])]), ["2147483647", "outside"]),
    (SmallModel.file(model: [("vocab", ["a": 9_223_372_036_854_775_807])]), ["outside"]),
    (SmallModel.file(model: [("merges", nil)]), ["model.merges", "null"]),
    (SmallModel.file(model: [("merges", ["h e", "zz e"])]), ["model.merges[1]", "'zz'"]),
    (SmallModel.file(model: [("merges", ["e h"])]), ["model.merges[0]", "'eh'"]),
    (SmallModel.file(model: [("merges", ["h e l"])]), ["model.merges[0]", "two tokens"]),
    (SmallModel.file(model: [("merges", [["h"]])]), ["model.merges[0]", "this one has 1"]),
    (SmallModel.file(model: [("merges", [["h", 3]])]), ["model.merges[0][1]", "an integer"]),
    (SmallModel.file(model: [("merges", [7])]), ["model.merges[0]", "an integer"]),
    (SmallModel.file(model: [("byte_fallback", true)]), ["byte_fallback", "SentencePiece"]),
    (SmallModel.file(model: [("continuing_subword_prefix", "##")]), ["continuing_subword_prefix", "##"]),
    (SmallModel.file(model: [("end_of_word_suffix", "</w>")]), ["end_of_word_suffix", "</w>"]),
    (SmallModel.file(model: [("dropout", 0.1)]), ["dropout", "0.1"]),
    (SmallModel.file(model: [("unk_token", "<unk>")]), ["unk_token", "<unk>"]),
    (SmallModel.file(model: [("ignore_merges", "yes")]), ["ignore_merges", "a Boolean"]),
    (SmallModel.file([("normalizer", ["type": "Lowercase"])]), ["'Lowercase'", "NFC, NFD, Sequence"]),
    (SmallModel.file([("pre_tokenizer", ["type": "Metaspace"])]), ["'Metaspace'", "ByteLevel, Digits"]),
    (SmallModel.file([("pre_tokenizer", nil)]), ["pre_tokenizer", "no ByteLevel"]),
    (SmallModel.file([("decoder", ["type": "WordPiece"])]), ["decoder", "'WordPiece'", "ByteLevel"]),
    (SmallModel.file([("decoder", nil)]), ["decoder", "null"]),
    (SmallModel.file([("post_processor", ["type": "BertProcessing"])]), ["'BertProcessing'"]),
    (SmallModel.file([("pre_tokenizer", SmallModel.split(["Regex": "("]))]), ["(", "cannot be compiled"]),
    (
      SmallModel.file([("pre_tokenizer", SmallModel.split(["String": "-"], "Glued"))]),
      ["'Glued'", "Isolated"]
    ),
    (SmallModel.file([("added_tokens", [["id": 301]])]), ["added_tokens[0].content", "missing"]),
    (SmallModel.file([("added_tokens", [SmallModel.added("x!", 3)])]), ["'x!'", "another token"]),
    (SmallModel.file([("added_tokens", [SmallModel.added("hello", 301)])]), ["'hello'", "301", "259"]),
    (
      SmallModel.file([("added_tokens", [SmallModel.added("x!", 301), SmallModel.added("y!", 301)])]),
      ["added_tokens[1]", "301", "twice"]
    ),
  ]

  @Test(arguments: badFiles.indices)
  func badFileIsRefusedWithItsReason(index: Int) {
    let (file, phrases) = Self.badFiles[index]
    let error = #expect(throws: TokenizerError.self) { try TokenizerFile.load(file, source: "bad.json") }
    let text = error.map { "\($0)" } ?? ""
    for phrase in phrases + ["bad.json", "hint:"] { #expect(text.contains(phrase), "\(text)") }
  }

  @Test func templateWithForeignIDIsRefused() {
    let template: JSON = [
      "type": "TemplateProcessing",
      "single": [["SpecialToken": ["id": "B"]], ["Sequence": ["id": "A"]]],
      "special_tokens": ["B": ["ids": [4000]]],
    ]
    let file = SmallModel.file([("post_processor", template)])
    let error = #expect(throws: TokenizerError.self) { try TokenizerFile.load(file) }
    #expect(error.map { "\($0)" }?.contains("4000") == true)
  }

  @Test func missingFilesAreNamed() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: TokenizerError.self) { try TokenizerFile.load(folder) }
      #expect(error.map { "\($0)" }?.contains("tokenizer.json") == true)
      #expect(throws: FileError.self) { try TokenizerFile.load(folder + "/none.json") }
    }
  }

  /// Bytes are changed, removed, doubled; the file is cut: nothing may trap, what still loads must work.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func damagedTextNeverTraps(seed: UInt64) {
    var generator = SeededGenerator(seed)
    let original = Self.compactFile.serializedBytes(.compact)
    var loaded = 0
    for _ in 0..<500 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) { Self.damage(&bytes, &generator) }
      if (try? Self.exercise(JSON.parse(bytes))) != nil { loaded += 1 }
    }
    #expect(loaded > 0)
    #expect(loaded < 500)
  }

  /// Values anywhere in the file are replaced by values of other kinds and sizes.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func damagedStructureNeverTraps(seed: UInt64) {
    var generator = SeededGenerator(seed)
    var loaded = 0
    for _ in 0..<1000 {
      let file = Self.mutated(Self.compactFile, &generator)
      if (try? Self.exercise(file)) != nil { loaded += 1 }
    }
    #expect(loaded > 0)
    #expect(loaded < 1000)
  }

  private static func exercise(_ file: JSON) throws {
    let tokenizer = try TokenizerFile.load(file)
    for special in SpecialTokenUse.allCases {
      let ids = tokenizer.encode("hello  Wörld<|endoftext|> \n12'S e\u{301}", special: special)
      _ = tokenizer.decode(ids + [-1, Int32.max])
      #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
    }
  }

  /// A file with every kind of component and few tokens, so that damage hits structure often.
  private static let compactFile: JSON = [
    "added_tokens": [SmallModel.added("<|endoftext|>", 9, special: true, left: true, normalized: true)],
    "normalizer": ["type": "Sequence", "normalizers": [["type": "NFC"]]],
    "pre_tokenizer": [
      "type": "Sequence",
      "pretokenizers": [
        ["type": "Digits", "individual_digits": true],
        ["type": "Split", "pattern": ["String": "-"], "behavior": "MergedWithNext", "invert": false],
        SmallModel.byteLevel,
      ],
    ],
    "post_processor": [
      "type": "TemplateProcessing", "single": [["SpecialToken": ["id": "E"]], ["Sequence": ["id": "A"]]],
      "special_tokens": ["E": ["ids": [9]]],
    ],
    "decoder": SmallModel.byteLevel,
    "model": [
      "type": "BPE", "unk_token": "u", "ignore_merges": true,
      "vocab": ["h": 0, "e": 1, "l": 2, "o": 3, "he": 4, "ll": 5, "llo": 6, "hello": 7, "u": 8],
      "merges": ["h e", ["l", "l"], "ll o", ["he", "llo"]],
    ],
  ]

  private static func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let position = Int.random(in: 0..<bytes.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
    case 1: bytes[position] = Array("0123456789-{}[]\",:.e".utf8)[Int.random(in: 0..<20, using: &generator)]
    case 2: bytes.remove(at: position)
    case 3: bytes.insert(bytes[position], at: position)
    default:
      if Bool.random(using: &generator) { bytes.removeSubrange(position...) } else { bytes[position] ^= 1 }
    }
  }

  private static func mutated(_ value: JSON, _ generator: inout SeededGenerator) -> JSON {
    let replacements: [JSON] = [
      nil, true, 0, -1, 7, 4_194_303, 4_194_304, 9_223_372_036_854_775_807, 0.5, "", "h", "A", " ",
      "Sequence",
      "ByteLevel", "é", [], [:], ["h", "e"], ["type": "NFC"],
    ]
    if Int.random(in: 0..<6, using: &generator) == 0 {
      return replacements[Int.random(in: 0..<replacements.count, using: &generator)]
    }
    switch value {
    case .array(var members) where !members.isEmpty:
      let index = Int.random(in: 0..<members.count, using: &generator)
      members[index] = mutated(members[index], &generator)
      return .array(members)
    case .object(var members) where !members.isEmpty:
      let entry = members[Int.random(in: 0..<members.count, using: &generator)]
      members[entry.key] = mutated(entry.value, &generator)
      return .object(members)
    default: return replacements[Int.random(in: 0..<replacements.count, using: &generator)]
    }
  }
}
