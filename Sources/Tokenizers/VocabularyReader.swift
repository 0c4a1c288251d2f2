import Files

/// Reads the `model` of a `tokenizer.json` and checks that its parts fit together.
struct VocabularyReader {
  let reader: ComponentReader
  private(set) var notices: [String] = []

  init(_ reader: ComponentReader) {
    self.reader = reader
  }

  mutating func model(_ value: JSON?) throws -> BPEModel {
    let model = try reader.object(value, "model")
    if let kind = try reader.optionalString(model["type"], "model.type"), kind != "BPE" {
      throw TokenizerError.unknownComponent(
        source: reader.source, place: "model.type", name: kind, known: ["BPE"])
    }
    try rejectUnsupported(model)
    let (tokens, spellings) = try tokens(model)
    let pairs = try merges(model, tokens, spellings)
    let unknown = try reader.optionalString(model["unk_token"], "model.unk_token").map { name in
      guard let index = spellings.find(name) else {
        throw reader.inconsistent("model.unk_token", "'\(name)' is not in the vocabulary")
      }
      return tokens[index].id
    }
    let result = BPEModel(
      tokens: tokens, spellings: spellings, pairs: pairs,
      ignoresMerges: try reader.flag(model["ignore_merges"], "model.ignore_merges", default: false),
      unknown: unknown, fusesUnknown: try reader.flag(model["fuse_unk"], "model.fuse_unk", default: false))
    noteMissingBytes(result)
    return result
  }

  private func rejectUnsupported(_ model: JSONObject) throws {
    if try reader.flag(model["byte_fallback"], "model.byte_fallback", default: false) {
      throw reader.unsupported(
        "model.byte_fallback", "tokens such as <0x0A> for single bytes are not supported",
        hint: "this is a SentencePiece-style file; use a model with a byte-level tokenizer")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = try reader.optionalString(model[key], "model.\(key)"), !text.isEmpty {
        throw reader.unsupported(
          "model.\(key)", "the affix '\(text)' is not supported",
          hint: "use a model with a byte-level tokenizer; those have no affixes")
      }
    }
    if let dropout = model["dropout"], !dropout.isNull {
      guard let rate = dropout.doubleValue else {
        throw reader.wrongType("model.dropout", "a number", dropout)
      }
      guard rate == 0 else {
        throw reader.unsupported(
          "model.dropout", "merges are dropped at random with rate \(rate)",
          hint: "set it to null: ids must not depend on chance")
      }
    }
  }

  private func tokens(_ model: JSONObject) throws -> ([BPEToken], ByteStringTable) {
    let vocabulary = try reader.object(model["vocab"], "model.vocab")
    guard !vocabulary.isEmpty else { throw reader.inconsistent("model.vocab", "there are no tokens") }
    var tokens: [BPEToken] = []
    tokens.reserveCapacity(vocabulary.count)
    var spellings = ByteStringTable(minimumCapacity: vocabulary.count)
    var largest: Int32 = 0
    for entry in vocabulary {
      guard let integer = entry.value.integerValue, let id = Int32(exactly: integer), id >= 0,
        id < ComponentReader.idLimit
      else {
        // Through the reader for the message; it throws.
        _ = try reader.id(entry.value, "model.vocab.\(entry.key)")
        continue
      }
      tokens.append(BPEToken(spelling: entry.key, id: id))
      spellings.insert(entry.key)
      largest = max(largest, id)
    }
    var owners = [Int](repeating: -1, count: Int(largest) + 1)
    for (index, token) in tokens.enumerated() {
      let other = owners[Int(token.id)]
      guard other < 0 else {
        let names = "'\(vocabulary[other].key)' and '\(vocabulary[index].key)'"
        throw reader.inconsistent("model.vocab", "\(names) both have the id \(token.id)")
      }
      owners[Int(token.id)] = index
    }
    return (tokens, spellings)
  }

  private mutating func noteMissingBytes(_ model: BPEModel) {
    let missing = model.idsOfBytes.count { $0 < 0 }
    if missing > 0 {
      let fate = model.unknown == nil ? "are left out" : "become the unknown token"
      notices.append("the vocabulary has no token for \(missing) of 256 bytes; such bytes \(fate)")
    }
  }
}

extension VocabularyReader {
  private mutating func merges(
    _ model: JSONObject, _ tokens: [BPEToken], _ spellings: ByteStringTable,
  ) throws -> PairTable {
    var merges = try reader.array(model["merges"], "model.merges")[...]
    // Lists copied from merges.txt begin with a version line.
    if let first = merges.first?.stringValue, first.hasPrefix("#version") { merges = merges.dropFirst() }
    guard merges.count < BPEWorkspace.maximumMergeCount else {
      throw reader.inconsistent(
        "model.merges", "\(merges.count) merges; fewer than \(BPEWorkspace.maximumMergeCount) are possible")
    }
    var pairs = PairTable(count: merges.count)
    var repeated = 0
    var joined: [UInt8] = []
    for (rank, merge) in merges.enumerated() {
      let (left, right) = try sides(merge, rank)
      guard let leftIndex = spellings.find(left) else { throw missingToken(left, rank) }
      guard let rightIndex = spellings.find(right) else { throw missingToken(right, rank) }
      joined.removeAll(keepingCapacity: true)
      joined.append(contentsOf: left.utf8)
      joined.append(contentsOf: right.utf8)
      guard let index = spellings.find(joined.span, joined.indices) else {
        throw missingToken(left + right, rank)
      }
      let merge = PairTable.Merge(rank: UInt32(rank), result: tokens[index].id)
      if pairs.insert(tokens[leftIndex].id, tokens[rightIndex].id, merge) { repeated += 1 }
    }
    if repeated > 0 {
      notices.append("\(repeated) merges are listed more than once; the last place counts")
    }
    return pairs
  }

  /// Both spellings: "a b" and ["a", "b"].
  private func sides(_ merge: JSON, _ rank: Int) throws -> (left: String, right: String) {
    let place = "model.merges[\(rank)]"
    switch merge {
    case .string(let text):
      let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2, let left = String(parts[0]), let right = String(parts[1]) else {
        throw reader.inconsistent(place, "'\(text)' is not two tokens with a space between them")
      }
      return (left, right)
    case .array(let parts):
      guard parts.count == 2 else {
        throw reader.inconsistent(place, "a merge joins 2 tokens, this one has \(parts.count)")
      }
      return (try reader.string(parts[0], place + "[0]"), try reader.string(parts[1], place + "[1]"))
    case .null, .bool, .integer, .number, .object:
      throw reader.wrongType(place, "a string or an array of two strings", merge)
    }
  }

  private func missingToken(_ token: String, _ rank: Int) -> TokenizerError {
    reader.inconsistent("model.merges[\(rank)]", "the token '\(token)' is not in the vocabulary")
  }
}
