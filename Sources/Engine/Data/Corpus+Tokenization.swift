public import Tokenizers

/// How far a long tokenization is.
public struct TokenizationProgress: Sendable, Equatable {
  /// Bytes of the data that are done.
  public let bytesDone: Int
  /// Bytes of all the data.
  public let bytesTotal: Int
}

extension Corpus {
  /// Turns the text into tokens, or checks tokens that were made before.
  ///
  /// Without `endOfText` the documents form one stream of text: separators stay as they are in the files,
  /// and where a file or a line of a .jsonl ends without a line end, one is put between two documents.
  /// With it, separators are dropped and the end-of-text token follows each document (not the one that a
  /// split cut off). Text that is not UTF-8 is what the tokenizer makes of it: the byte tokenizer takes
  /// any byte, others read U+FFFD.
  ///
  /// - Parameters:
  ///   - tokenizer: Makes the tokens, or tells what tokens a .bin file may hold.
  ///   - endOfText: Whether the end-of-text token follows each document; no meaning for a .bin file.
  ///   - special: Whether special tokens spelled out in the text become tokens.
  ///   - progress: Called about once a megabyte; what it throws ends the work.
  /// - Throws: `DataError`, and what `progress` throws.
  public func tokenized(
    with tokenizer: any Tokenizer, endOfText: Bool = false, special: SpecialTokenUse = .recognized,
    progress: (TokenizationProgress) throws -> Void = { _ in },
  ) throws -> TokenSequence {
    switch content {
    case .tokens(let parts): return try checkedTokens(parts, tokenizer, progress)
    case .text(let documents):
      var builder = TokenBuilder(
        vocabularySize: tokenizer.vocabularySize, endOfText: tokenizer.endOfText, name: name)
      let end: [Int32] = try endOfText ? [endOfTextToken(tokenizer)] : []
      try forEachPiece(
        documents, joined: !endOfText, isSafeCut: Self.isSafeCut(tokenizer, special),
        progress: progress,
      ) { piece, endsDocument in
        try builder.append(tokenizer.encode(bytes: piece, special: special))
        if endsDocument { try builder.append(end) }
      }
      return builder.finished()
    }
  }

  /// Gives the text piece by piece to `body`, for example to train a tokenizer; long documents come in
  /// pieces of about a megabyte, cut at a space or a line end.
  ///
  /// - Throws: `DataError.noText` for tokens made before, and what `body` throws.
  public func forEachText(_ body: (String) throws -> Void) throws {
    guard case .text(let documents) = content else { throw DataError.noText(name: name) }
    try forEachPiece(documents, joined: false, isSafeCut: { _, _ in true }, progress: { _ in }) {
      piece, _ in try body(String(decoding: piece, as: UTF8.self))
    }
  }

  private func endOfTextToken(_ tokenizer: any Tokenizer) throws -> Int32 {
    guard let token = tokenizer.endOfText else { throw DataError.noEndOfText(name: name) }
    return token
  }

  /// A cut is safe if the text round it has the same tokens with and without the cut.
  private static func isSafeCut(
    _ tokenizer: any Tokenizer, _ special: SpecialTokenUse,
  ) -> (_ left: [UInt8], _ right: [UInt8]) -> Bool {
    { left, right in
      let parts =
        tokenizer.encode(bytes: left, special: special) + tokenizer.encode(bytes: right, special: special)
      return parts == tokenizer.encode(bytes: left + right, special: special)
    }
  }

  private func forEachPiece(
    _ documents: [TextDocument], joined: Bool, isSafeCut: ([UInt8], [UInt8]) -> Bool,
    progress: (TokenizationProgress) throws -> Void,
    _ body: (_ piece: [UInt8], _ endsDocument: Bool) throws -> Void,
  ) throws {
    let total = documents.reduce(0) { $0 + $1.extent.count }
    var done = 0
    var reported = 0
    for (index, document) in documents.enumerated() {
      let next = index + 1 < documents.count ? documents[index + 1] : nil
      try forEachPiece(of: document, before: next, joined: joined, isSafeCut: isSafeCut) {
        piece, endsDocument in
        try body(piece, endsDocument)
        done += min(piece.count, total - done)
        if done - reported >= TextPieces.target {
          try progress(TokenizationProgress(bytesDone: done, bytesTotal: total))
          reported = done
        }
      }
    }
    try progress(TokenizationProgress(bytesDone: total, bytesTotal: total))
  }

  private func forEachPiece(
    of document: TextDocument, before next: TextDocument?, joined: Bool,
    isSafeCut: ([UInt8], [UInt8]) -> Bool, _ body: (_ piece: [UInt8], _ endsDocument: Bool) throws -> Void,
  ) throws {
    let file = files[document.file]
    let newline = UInt8(ascii: "\n")
    try file.bytes.withBytes { bytes in
      if document.isJSON {
        let text = try JSONLines.text(bytes, document.text, path: file.name, line: document.line)
        var piece = Array(text.utf8)
        if joined, next != nil, piece.last != newline { piece.append(newline) }
        try body(piece, true)
        return
      }
      let range = joined ? document.extent : document.text
      // Documents of one .txt file keep their separators, which is all that stands between them.
      let endsFile = next.map { $0.file != document.file } ?? false
      var start = range.lowerBound
      while start < range.upperBound {
        let end = TextPieces.end(bytes, from: start, limit: range.upperBound, isSafe: isSafeCut)
        var piece = TextPieces.copy(bytes, start..<end)
        let isLast = end == range.upperBound
        if isLast, joined, endsFile, piece.last != newline { piece.append(newline) }
        try body(piece, isLast && !document.isCut)
        start = end
      }
    }
  }
}

extension Corpus {
  /// Checks every token of .bin files; they stay where they are.
  private func checkedTokens(
    _ parts: [TokenPart], _ tokenizer: any Tokenizer, _ progress: (TokenizationProgress) throws -> Void,
  ) throws -> TokenSequence {
    let total = parts.reduce(0) { $0 + $1.range.count * $1.layout.width }
    var done = 0
    var hasEndOfText = false
    var segments: [TokenSequence.Segment] = []
    for part in parts {
      guard case .mapped(let file) = files[part.file].bytes else { continue }
      var start = part.range.lowerBound
      while start < part.range.upperBound {
        let end = min(start + TextPieces.target, part.range.upperBound)
        let found = try check(part, start..<end, tokenizer)
        hasEndOfText = hasEndOfText || found
        done += (end - start) * part.layout.width
        start = end
        try progress(TokenizationProgress(bytesDone: done, bytesTotal: total))
      }
      segments.append(
        .init(storage: .file(file, part.layout), offset: part.range.lowerBound, count: part.range.count))
    }
    return TokenSequence(
      segments, vocabularySize: tokenizer.vocabularySize,
      endOfText: hasEndOfText ? tokenizer.endOfText : nil)
  }

  /// Throws for a token outside the vocabulary; returns whether the end-of-text token occurs.
  private func check(_ part: TokenPart, _ range: Range<Int>, _ tokenizer: any Tokenizer) throws -> Bool {
    let size = tokenizer.vocabularySize
    let endOfText = tokenizer.endOfText.map { UInt32(bitPattern: $0) }
    return try files[part.file].bytes.withBytes { bytes in
      var found = false
      for index in range {
        let token = part.layout.token(bytes, index)
        guard Int(token) < size else {
          throw DataError.tokenOutOfRange(
            name: files[part.file].name, position: index, token: Int(token), vocabularySize: size)
        }
        if token == endOfText { found = true }
      }
      return found
    }
  }
}
