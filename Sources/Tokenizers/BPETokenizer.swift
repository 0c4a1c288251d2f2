import Synchronization

/// A byte-level BPE as in GPT-2, Llama 3 and Qwen 2, with the ids of the reference tokenizer library.
///
/// Made by `TokenizerFile.load` or `TrainedBPE`. Encoding is safe from several threads at once: each call
/// borrows a workspace, whose cache of pieces makes repeated words cheap.
public final class BPETokenizer: Tokenizer {
  let model: BPEModel
  let components: BPEComponents
  private let addedByID: [Int32: AddedToken]
  private let rawMatcher: AddedTokenMatcher
  private let normalizedMatcher: AddedTokenMatcher
  private let workspaces = Mutex<[BPEWorkspace]>([])

  public let endOfText: Int32?
  public let beginningOfText: Int32?
  public let stopIDs: [Int32]

  /// What the caller should know: settings of the file that are not applied, slow patterns; a line each.
  public let notices: [String]

  init(model: BPEModel, components: BPEComponents, boundaries: TextBoundaries, notices: [String]) {
    self.model = model
    self.components = components
    self.notices = notices
    endOfText = boundaries.end
    beginningOfText = boundaries.beginning
    stopIDs = boundaries.stops
    var byID: [Int32: AddedToken] = [:]
    for token in components.addedTokens { byID[token.id] = token }
    addedByID = byID
    rawMatcher = AddedTokenMatcher(
      components.addedTokens.filter { !$0.isNormalized }.map { ($0, Array($0.content.utf8)) })
    normalizedMatcher = AddedTokenMatcher(
      components.addedTokens.filter(\.isNormalized).map { token in
        let bytes = Array(token.content.utf8)
        return (token, components.normalizer?.normalized(bytes.span, bytes.indices) ?? bytes)
      })
  }

  /// The highest id plus one, added tokens included.
  ///
  /// Ids below it may be unused when the file has gaps.
  public var vocabularySize: Int {
    max(model.size, (addedByID.keys.max().map { Int($0) } ?? -1) + 1)
  }

  public func bytes(of id: Int32) -> [UInt8]? {
    if let added = addedByID[id] { return Array(added.content.utf8) }
    return model.bytes(of: id).map { Array($0) }
  }

  /// The id of a token by its spelling in the file: special tokens as they are, others in the byte-level
  /// alphabet, where a space is `\u{120}`.
  public func id(of token: String) -> Int32? {
    let added = components.addedTokens.first { $0.content.utf8.elementsEqual(token.utf8) }
    return added?.id ?? model.id(of: token)
  }

  public func isSpecial(_ id: Int32) -> Bool { addedByID[id]?.isSpecial ?? false }

  /// The tokens that are found in texts as a whole, with their ids, in the order of the file.
  public var addedTokens: [(content: String, id: Int32)] {
    components.addedTokens.map { ($0.content, $0.id) }
  }

  public func decodeBytes(_ ids: some Sequence<Int32>) -> [UInt8] {
    var result: [UInt8] = []
    for id in ids {
      if let added = addedByID[id] {
        result.append(contentsOf: added.content.utf8)
      } else if let bytes = model.bytes(of: id) {
        result.append(contentsOf: bytes)
      } else {
        result.append(contentsOf: replacementBytes)
      }
    }
    return result
  }
}

extension BPETokenizer {
  public func encode(_ text: String, special: SpecialTokenUse) -> [Int32] {
    var workspace = workspaces.withLock { $0.popLast() } ?? BPEWorkspace()
    var ids: [Int32] = []
    // English text has four to five bytes for each token.
    ids.reserveCapacity(text.utf8.count / 4 + 8)
    if special == .added { ids.append(contentsOf: components.prefixIDs) }
    let span = text.utf8Span.span
    for segment in rawMatcher.segments(span, 0..<span.count, special: special) {
      if let token = segment.token {
        ids.append(token)
      } else {
        encodeText(span, segment.range, special, &workspace, &ids)
      }
    }
    if special == .added { ids.append(contentsOf: components.suffixIDs) }
    workspaces.withLock { $0.append(workspace) }
    return ids
  }

  /// The ids of bytes; sequences that are not UTF-8 count as U+FFFD.
  public func encode(bytes: [UInt8], special: SpecialTokenUse) -> [Int32] {
    encode(String(decoding: bytes, as: UTF8.self), special: special)
  }

  /// Text without raw added tokens: normalizes it, then looks for the others.
  private func encodeText(
    _ text: Span<UInt8>, _ range: Range<Int>, _ special: SpecialTokenUse, _ workspace: inout BPEWorkspace,
    _ ids: inout [Int32],
  ) {
    if let normalized = components.normalizer?.normalized(text, range) {
      encodeNormalized(normalized.span, normalized.indices, special, &workspace, &ids)
    } else {
      encodeNormalized(text, range, special, &workspace, &ids)
    }
  }

  private func encodeNormalized(
    _ text: Span<UInt8>, _ range: Range<Int>, _ special: SpecialTokenUse, _ workspace: inout BPEWorkspace,
    _ ids: inout [Int32],
  ) {
    if normalizedMatcher.isEmpty {
      encodePlain(text, range, &workspace, &ids)
      return
    }
    for segment in normalizedMatcher.segments(text, range, special: special) {
      if let token = segment.token {
        ids.append(token)
      } else {
        encodePlain(text, segment.range, &workspace, &ids)
      }
    }
  }

  /// Text without tokens: splits it and encodes the pieces.
  private func encodePlain(
    _ text: Span<UInt8>, _ range: Range<Int>, _ workspace: inout BPEWorkspace, _ ids: inout [Int32],
  ) {
    let splitter = components.preTokenizer
    if let scanner = splitter.soleScanner {
      encodePieces(text, range, scanner, &workspace, &ids)
      return
    }
    for part in splitter.parts(text, range) {
      if splitter.addsPrefixSpace, text[part.lowerBound] != UInt8(ascii: " ") {
        var prefixed = [UInt8(ascii: " ")]
        prefixed.append(text, part)
        encodePieces(prefixed.span, prefixed.indices, splitter.byteLevelScanner, &workspace, &ids)
      } else {
        encodePieces(text, part, splitter.byteLevelScanner, &workspace, &ids)
      }
    }
  }

  private func encodePieces(
    _ text: Span<UInt8>, _ range: Range<Int>, _ scanner: PieceScanner?, _ workspace: inout BPEWorkspace,
    _ ids: inout [Int32],
  ) {
    guard let scanner else {
      workspace.encode(text, range, model, into: &ids)
      return
    }
    let model = model
    var start = range.lowerBound
    while start < range.upperBound {
      let end = scanner.endOfPiece(text, from: start, limit: range.upperBound)
      workspace.encode(text, start..<end, model, into: &ids)
      start = end
    }
  }
}
