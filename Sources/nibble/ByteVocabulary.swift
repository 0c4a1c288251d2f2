import Files
import Tokenizers

/// A tokenizer.json that gives every byte its own value as id, for programs that know no byte tokenizer.
enum ByteVocabulary {
  static func file(_ tokenizer: ByteTokenizer) -> JSON {
    let vocabulary = (0..<256).map { (key: String(standIn(UInt8($0))), value: JSON.integer(Int64($0))) }
    let end: [JSON] =
      tokenizer.endOfText.map { id in
        [
          [
            "id": .integer(Int64(id)), "content": .string(ByteTokenizer.endOfTextName), "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true,
          ]
        ]
      } ?? []
    let byteLevel: JSON = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    ]
    return [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(end), "normalizer": nil,
      "pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel,
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
        "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": .object(JSONObject(vocabulary)), "merges": [],
      ],
    ]
  }

  /// The character that stands for a byte in byte-level vocabularies (GPT-2): printable Latin-1 stands for itself,
  /// the others for the characters from U+0100 on, in order.
  private static func standIn(_ byte: UInt8) -> Character {
    func isPrintable(_ byte: UInt8) -> Bool {
      (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
    }
    if isPrintable(byte) { return Character(Unicode.Scalar(byte)) }
    let before = (0..<byte).count { !isPrintable($0) }
    return Unicode.Scalar(256 + UInt32(before)).map(Character.init) ?? " "
  }
}
