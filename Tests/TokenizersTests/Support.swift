import Files
import Testing

@testable import Tokenizers

/// Reference data beside the package, absent in a bare checkout.
enum Fixtures {
  static let shared: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(4).joined(separator: "/") + "/shared"
  }()

  static let tokenizers = shared + "/fixtures/tokenizers"
  static let areThere = Folder.exists(tokenizers)
}

/// A small generator with a fixed sequence for each seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Texts that exercise every branch of the splitting rules.
enum SampleText {
  static let fragments = [
    "'s", "'S", "'ſ", "'LL", "'re", "'vE", "'t", "'d", "'m", "''", "'", "a", "é", "e\u{301}", "ß", "ſ", "漢字",
    "ก็", "😀", "👨\u{200D}👩\u{200D}👧", "\r\n", "\n", "\r", "\t", " ", "  ", "   ", "\u{A0}", "\u{2028}",
    "\u{85}", "\u{3000}", "\u{180E}", "\u{200B}", "1", "12", "1234567", "½", "Ⅷ", "٣", "_", "-", "...", "!!",
    "\u{0}", "\u{1C}", "\u{FEFF}", "\u{1100}\u{1161}\u{11A8}", "\u{0323}\u{0301}", "Hello", "world", "(x)",
    "\u{E0100}", "\u{10FFFF}",
  ]

  static func random(_ generator: inout SeededGenerator, fragments count: Int = 12) -> String {
    (0..<Int.random(in: 0...count, using: &generator)).map { _ in
      fragments[Int.random(in: 0..<fragments.count, using: &generator)]
    }.joined()
  }
}

/// A byte-level model with every byte and a few merges, as the value of a `tokenizer.json`.
enum SmallModel {
  /// Ids: bytes in the order of their stand-ins from 0, then these from 256 on.
  static let learned = ["he", "ll", "llo", "hello", "\u{120}w", "or"]
  static let merges: [(String, String)] = [
    ("h", "e"), ("l", "l"), ("ll", "o"), ("he", "llo"), ("\u{120}", "w"), ("o", "r"),
  ]

  static var vocabulary: JSONObject {
    var object = JSONObject()
    for byte in ByteAlphabet.bytesInScalarOrder {
      object[ByteAlphabet.text(of: [byte])] = .integer(Int64(object.count))
    }
    for token in learned { object[token] = .integer(Int64(object.count)) }
    return object
  }

  static var model: JSONObject {
    [
      "type": "BPE", "vocab": .object(vocabulary),
      "merges": .array(merges.map { .array([.string($0.0), .string($0.1)]) }),
    ]
  }

  static let byteLevel: JSON = [
    "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
  ]

  /// A file whose parts can be replaced.
  static func file(_ changes: [(String, JSON)] = [], model modelChanges: [(String, JSON)] = []) -> JSON {
    var model = model
    for (key, value) in modelChanges { model[key] = value }
    var file: JSONObject = [
      "added_tokens": [added("<|endoftext|>", 300, special: true)], "normalizer": nil,
      "pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel, "model": .object(model),
    ]
    for (key, value) in changes { file[key] = value }
    return .object(file)
  }

  static func added(
    _ content: String, _ id: Int64, special: Bool = false, word: Bool = false, left: Bool = false,
    right: Bool = false, normalized: Bool = false,
  ) -> JSON {
    [
      "id": .integer(id), "content": .string(content), "special": .bool(special), "single_word": .bool(word),
      "lstrip": .bool(left), "rstrip": .bool(right), "normalized": .bool(normalized),
    ]
  }

  static func split(
    _ pattern: JSON, _ behavior: String = "Isolated", invert: Bool = false,
  ) -> JSON {
    let split: JSON = [
      "type": "Split", "pattern": pattern, "behavior": .string(behavior), "invert": .bool(invert),
    ]
    let mapping: JSON = ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false]
    return ["type": "Sequence", "pretokenizers": [split, mapping]]
  }
}

extension BPETokenizer {
  /// Encodes and shows what each id decodes to.
  func pieces(_ text: String, special: SpecialTokenUse = .recognized) -> [String] {
    encode(text, special: special).map { decode([$0]) }
  }
}
