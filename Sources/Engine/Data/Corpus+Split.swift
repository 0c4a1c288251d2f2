extension Corpus {
  /// Divides the data by position: the first part trains, the last part validates.
  ///
  /// Text is divided before it becomes tokens, by characters (Unicode scalars): of n characters the first
  /// n (1 - fraction), rounded down, train, so that numbers per byte mean the same for every tokenizer. A
  /// whole .txt file may be cut, between two characters; documents between separators or in a .jsonl
  /// file stay whole, and the cut moves to the nearest boundary. Tokens made before are divided by count.
  ///
  /// - Parameter validationFraction: Share that validates, in [0, 1); 0 for no validation.
  /// - Returns: Two parts that share the files; `validation` is nil for a fraction of 0.
  /// - Throws: `DataError.cannotSplit` when a part would be empty.
  public func split(validationFraction: Double) throws -> (training: Corpus, validation: Corpus?) {
    guard validationFraction >= 0, validationFraction < 1 else {
      throw cannotSplit(
        validationFraction, "the fraction must be at least 0 and below 1", "0.1 is usual")
    }
    if validationFraction == 0 { return (self, nil) }
    switch content {
    case .text(let documents):
      let (first, last) = try split(documents, validationFraction)
      return (with(.text(first)), with(.text(last)))
    case .tokens(let parts):
      let (first, last) = try split(parts, validationFraction)
      return (with(.tokens(first)), with(.tokens(last)))
    }
  }

  private func with(_ content: Content) -> Corpus {
    Corpus(name: name, skippedFiles: skippedFiles, files: files, content: content)
  }

  private func cannotSplit(_ fraction: Double, _ problem: String, _ hint: String) -> DataError {
    .cannotSplit(name: name, fraction: fraction, problem: problem, hint: hint)
  }

  private static let otherFileHint =
    "set data.validation to another file, data.validation_fraction to 0, or use more data"

  private func split(
    _ documents: [TextDocument], _ fraction: Double,
  ) throws -> (first: [TextDocument], last: [TextDocument]) {
    let total = documents.reduce(0) { $0 + $1.characterCount }
    let target = Int(Double(total) * (1 - fraction))
    var before = 0
    guard
      let index = documents.firstIndex(where: { document in
        if before + document.characterCount > target { return true }
        before += document.characterCount
        return false
      })
    else { throw cannotSplit(fraction, "it has no characters", Self.otherFileHint) }
    let document = documents[index]
    if document.isDivisible, target > before {
      let (head, tail) = cut(document, after: target - before)
      return (documents[..<index] + [head], [tail] + documents[(index + 1)...])
    }
    // The boundary before or behind the document that holds the target, whichever is nearer.
    let behind = before + document.characterCount - target
    let nearest = target - before <= behind ? index : index + 1
    let boundary = min(max(nearest, 1), documents.count - 1)
    guard boundary > 0 else {
      throw cannotSplit(fraction, "it is one document, which stays whole", Self.otherFileHint)
    }
    return (Array(documents[..<boundary]), Array(documents[boundary...]))
  }

  private func cut(
    _ document: TextDocument, after characters: Int,
  ) -> (head: TextDocument, tail: TextDocument) {
    let place = files[document.file].bytes.withBytes {
      UTF8Characters.offset(after: characters, $0, in: document.text)
    }
    var head = document
    head.text = document.text.lowerBound..<place
    head.extent = document.extent.lowerBound..<place
    head.characterCount = characters
    head.isCut = true
    var tail = document
    tail.text = place..<document.text.upperBound
    tail.extent = place..<document.extent.upperBound
    tail.characterCount = document.characterCount - characters
    return (head, tail)
  }

  private func split(
    _ parts: [TokenPart], _ fraction: Double,
  ) throws -> (first: [TokenPart], last: [TokenPart]) {
    let total = parts.reduce(0) { $0 + $1.range.count }
    var remaining = Int(Double(total) * (1 - fraction))
    guard remaining > 0, remaining < total else {
      throw cannotSplit(fraction, "it has \(total) tokens, so a part would be empty", Self.otherFileHint)
    }
    var first: [TokenPart] = []
    var last: [TokenPart] = []
    for part in parts {
      let place = part.range.lowerBound + min(remaining, part.range.count)
      first.append(
        TokenPart(file: part.file, layout: part.layout, range: part.range.lowerBound..<place))
      last.append(
        TokenPart(file: part.file, layout: part.layout, range: place..<part.range.upperBound))
      remaining -= place - part.range.lowerBound
    }
    return (first.filter { !$0.range.isEmpty }, last.filter { !$0.range.isEmpty })
  }
}
