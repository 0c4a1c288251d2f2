/// The tables of a byte-level BPE: tokens, merges, and the id of every byte.
final class BPEModel: Sendable {
  /// Tokens and their ids; both orders are needed.
  let spellings: ByteStringTable
  let idsOfSpellings: [Int32]

  /// Bytes of every id in one arena; an id without token spans nothing and `isToken` is false.
  private let bytes: [UInt8]
  private let byteOffsets: [Int]
  private let isToken: [Bool]

  /// The token of every byte; -1 when the vocabulary has none.
  let idsOfBytes: [Int32]
  let pairs: PairTable

  /// Whole pieces that are tokens, by their bytes: only when merges are ignored for those.
  let wholePieces: ByteStringTable?
  let idsOfWholePieces: [Int32]

  /// What stands for a byte without token, and whether a run of such bytes becomes one.
  let unknown: Int32?
  let fusesUnknown: Bool

  /// Builds the tables.
  ///
  /// - Parameters:
  ///   - tokens: The vocabulary; ids distinct and at least 0.
  ///   - spellings: Spellings of the tokens, in the same order.
  ///   - pairs: The merges.
  ///   - ignoresMerges: Whether a piece that is a token is taken whole.
  ///   - unknown: What stands for a byte without token.
  ///   - fusesUnknown: Whether a run of such bytes becomes one.
  init(
    tokens: [BPEToken], spellings: ByteStringTable, pairs: PairTable, ignoresMerges: Bool, unknown: Int32?,
    fusesUnknown: Bool,
  ) {
    self.spellings = spellings
    self.pairs = pairs
    self.unknown = unknown
    self.fusesUnknown = fusesUnknown
    idsOfSpellings = tokens.map(\.id)

    let size = Int(tokens.map(\.id).max() ?? -1) + 1
    var order = [Int](repeating: -1, count: size)
    for (index, token) in tokens.enumerated() { order[Int(token.id)] = index }
    var bytes: [UInt8] = []
    var offsets: [Int] = [0]
    var idsOfBytes = [Int32](repeating: -1, count: 256)
    for index in order {
      if index >= 0 { bytes.append(contentsOf: tokens[index].bytes) }
      offsets.append(bytes.count)
    }
    for token in tokens where token.isByteLevel && token.bytes.count == 1 {
      idsOfBytes[Int(token.bytes[0])] = token.id
    }
    self.bytes = bytes
    byteOffsets = offsets
    isToken = order.map { $0 >= 0 }
    self.idsOfBytes = idsOfBytes

    if ignoresMerges {
      var pieces = ByteStringTable(minimumCapacity: tokens.count)
      var ids: [Int32] = []
      for token in tokens where token.isByteLevel && pieces.insert(token.bytes).isNew { ids.append(token.id) }
      wholePieces = pieces
      idsOfWholePieces = ids
    } else {
      wholePieces = nil
      idsOfWholePieces = []
    }
  }

  /// The highest id plus one.
  var size: Int { isToken.count }

  /// The bytes of an id, nil when it is no token.
  func bytes(of id: Int32) -> ArraySlice<UInt8>? {
    guard id >= 0, Int(id) < isToken.count, isToken[Int(id)] else { return nil }
    return bytes[byteOffsets[Int(id)]..<byteOffsets[Int(id) + 1]]
  }

  /// The id of a token by its spelling.
  func id(of spelling: String) -> Int32? {
    spellings.find(spelling).map { idsOfSpellings[$0] }
  }
}

/// One entry of a vocabulary.
struct BPEToken: Sendable {
  let id: Int32
  /// What the token decodes to.
  let bytes: [UInt8]
  /// Whether the spelling consists of stand-ins for bytes; otherwise `bytes` are the spelling itself.
  let isByteLevel: Bool

  init(spelling: String, id: Int32) {
    var bytes: [UInt8] = []
    isByteLevel = ByteAlphabet.append(bytesOf: spelling, to: &bytes)
    self.id = id
    self.bytes = isByteLevel ? bytes : Array(spelling.utf8)
  }
}
