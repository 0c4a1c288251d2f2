import Files

/// Reads what stands round the model in a `tokenizer.json`.
struct PipelineReader {
  let reader: ComponentReader
  private(set) var notices: [String] = []

  init(_ reader: ComponentReader) {
    self.reader = reader
  }

  mutating func components(_ file: JSONObject, _ model: BPEModel) throws -> BPEComponents {
    let addedTokens = try addedTokens(file["added_tokens"], model)
    try checkDecoder(file["decoder"], "decoder")
    let template = try template(file["post_processor"], "post_processor")
    for key in ["truncation", "padding"] {
      if let value = file[key], !value.isNull { notices.append("the file's \(key) settings are not applied") }
    }
    return BPEComponents(
      normalizer: try normalizer(file["normalizer"], "normalizer"),
      preTokenizer: try preTokenizer(file["pre_tokenizer"]), addedTokens: addedTokens,
      prefixIDs: template.prefix, suffixIDs: template.suffix)
  }

  /// The kind of a component; throws unless it is one of those known.
  private func kind(_ component: JSONObject, _ place: String, known: [String]) throws -> String {
    let name = try reader.string(component["type"], place + ".type")
    guard known.contains(name) else {
      throw TokenizerError.unknownComponent(source: reader.source, place: place, name: name, known: known)
    }
    return name
  }

  private func normalizer(_ value: JSON?, _ place: String) throws -> TextNormalizer? {
    guard let value, !value.isNull else { return nil }
    let component = try reader.object(value, place)
    switch try kind(component, place, known: TextNormalizer.knownTypes) {
    case "NFC": return .composed
    case "NFD": return .decomposed
    default:
      let members = try reader.array(component["normalizers"], place + ".normalizers")
      return .sequence(
        try members.enumerated().compactMap { try normalizer($1, "\(place).normalizers[\($0)]") })
    }
  }

  /// The byte-level decoder is the only one that undoes this model.
  private func checkDecoder(_ value: JSON?, _ place: String) throws {
    let component = try reader.object(value, place)
    guard try kind(component, place, known: ["ByteLevel", "Sequence"]) == "Sequence" else { return }
    let members = try reader.array(component["decoders"], place + ".decoders")
    guard members.count == 1 else {
      throw reader.unsupported(
        place, "a sequence of \(members.count) decoders", hint: "one ByteLevel decoder is supported")
    }
    try checkDecoder(members[0], place + ".decoders[0]")
  }
}

// MARK: Added tokens

extension PipelineReader {
  private mutating func addedTokens(_ value: JSON?, _ model: BPEModel) throws -> [AddedToken] {
    guard let value, !value.isNull else { return [] }
    var result: [AddedToken] = []
    var contents = ByteStringTable()
    var ids: Set<Int32> = []
    for (index, entry) in try reader.array(value, "added_tokens").enumerated() {
      let place = "added_tokens[\(index)]"
      let token = try addedToken(try reader.object(entry, place), place)
      if token.content.isEmpty {
        notices.append("the added token \(token.id) is empty and will never be found")
        continue
      }
      guard contents.insert(token.content).isNew else {
        throw reader.inconsistent(place, "'\(token.content)' is listed twice")
      }
      guard ids.insert(token.id).inserted else {
        throw reader.inconsistent(place, "the id \(token.id) is listed twice")
      }
      if let modelID = model.id(of: token.content), modelID != token.id {
        throw reader.inconsistent(
          place, "'\(token.content)' has the id \(token.id) here but \(modelID) in the vocabulary")
      }
      if model.bytes(of: token.id) != nil, model.id(of: token.content) == nil {
        throw reader.inconsistent(
          place, "the id \(token.id) of '\(token.content)' belongs to another token of the vocabulary")
      }
      result.append(token)
    }
    return result
  }

  private func addedToken(_ entry: JSONObject, _ place: String) throws -> AddedToken {
    let isSpecial = try reader.flag(entry["special"], place + ".special", default: false)
    return AddedToken(
      id: try reader.id(entry["id"], place + ".id"),
      content: try reader.string(entry["content"], place + ".content"), isSpecial: isSpecial,
      isSingleWord: try reader.flag(entry["single_word"], place + ".single_word", default: false),
      stripsLeft: try reader.flag(entry["lstrip"], place + ".lstrip", default: false),
      stripsRight: try reader.flag(entry["rstrip"], place + ".rstrip", default: false),
      isNormalized: try reader.flag(entry["normalized"], place + ".normalized", default: !isSpecial))
  }
}

// MARK: Splitting

extension PipelineReader {
  private mutating func preTokenizer(_ value: JSON?) throws -> PreTokenizer {
    var stages: [SplitStage] = []
    var byteLevel: (addsPrefixSpace: Bool, usesPattern: Bool)?
    for (place, component) in try flattened(value, "pre_tokenizer") {
      guard byteLevel == nil else {
        throw reader.unsupported(
          place, "a step behind ByteLevel would split stand-ins for bytes, not text",
          hint: "ByteLevel must be the last step")
      }
      switch try kind(component, place, known: Self.knownSplitters) {
      case "ByteLevel":
        byteLevel = (
          try reader.flag(component["add_prefix_space"], place + ".add_prefix_space", default: true),
          try reader.flag(component["use_regex"], place + ".use_regex", default: true)
        )
      case "Digits":
        let key = "individual_digits"
        let individually = try reader.flag(component[key], "\(place).\(key)", default: false)
        stages.append(
          SplitStage(
            matcher: .number, behavior: individually ? .isolated : .contiguous, isInverted: false))
      default: stages.append(try split(component, place))
      }
    }
    guard let byteLevel else {
      throw reader.unsupported(
        "pre_tokenizer", "there is no ByteLevel step",
        hint: "byte-level BPE files can be loaded; use a model with such a tokenizer")
    }
    return PreTokenizer(
      stages: stages, addsPrefixSpace: byteLevel.addsPrefixSpace, splitsLikeGPT2: byteLevel.usesPattern)
  }

  private static let knownSplitters = ["ByteLevel", "Digits", "Sequence", "Split"]

  /// The steps of nested sequences in order, each with its place.
  private func flattened(_ value: JSON?, _ place: String) throws -> [(place: String, JSONObject)] {
    guard let value, !value.isNull else { return [] }
    let component = try reader.object(value, place)
    guard try kind(component, place, known: Self.knownSplitters) == "Sequence" else {
      return [(place, component)]
    }
    let members = try reader.array(component["pretokenizers"], place + ".pretokenizers")
    return try members.enumerated().flatMap { try flattened($1, "\(place).pretokenizers[\($0)]") }
  }

  private mutating func split(_ component: JSONObject, _ place: String) throws -> SplitStage {
    let name = try reader.string(component["behavior"], place + ".behavior")
    guard let behavior = SplitStage.Behavior(rawValue: name) else {
      throw TokenizerError.unknownComponent(
        source: reader.source, place: place + ".behavior", name: name,
        known: SplitStage.Behavior.allCases.map(\.rawValue))
    }
    return SplitStage(
      matcher: try matcher(component["pattern"], place + ".pattern"), behavior: behavior,
      isInverted: try reader.flag(component["invert"], place + ".invert", default: false))
  }

  private mutating func matcher(_ value: JSON?, _ place: String) throws -> SplitStage.Matcher {
    let pattern = try reader.object(value, place)
    if let literal = pattern["String"] { return .literal(Array(try reader.string(literal, place).utf8)) }
    let expression = try reader.string(pattern["Regex"], place + ".Regex")
    if let scanner = PieceScanner(pattern: expression) { return .scanner(scanner) }
    do {
      let matcher = try ExpressionMatcher(pattern: expression)
      notices.append("splitting by a pattern without a scanner of its own, about 1 MB/s: \(expression)")
      return .expression(matcher)
    } catch {
      throw reader.unsupported(
        place, "the pattern \(expression) cannot be compiled: \(error)",
        hint: "rewrite it in the common subset of regular expressions")
    }
  }
}

// MARK: Template

extension PipelineReader {
  private typealias Template = (prefix: [Int32], suffix: [Int32])

  private func template(_ value: JSON?, _ place: String) throws -> Template {
    guard let value, !value.isNull else { return ([], []) }
    let component = try reader.object(value, place)
    switch try kind(component, place, known: ["ByteLevel", "Sequence", "TemplateProcessing"]) {
    case "ByteLevel":  // Changes offsets into the text only, which we do not report.
      return ([], [])
    case "Sequence":
      let members = try reader.array(component["processors"], place + ".processors")
      let templates = try members.enumerated().map { try template($1, "\(place).processors[\($0)]") }
        .filter { !$0.prefix.isEmpty || !$0.suffix.isEmpty }
      guard templates.count <= 1 else {
        throw reader.unsupported(
          place, "\(templates.count) templates in one sequence", hint: "one TemplateProcessing is supported")
      }
      return templates.first ?? ([], [])
    default: return try singleTemplate(component, place)
    }
  }

  /// The template for one text: special tokens, the text "A", special tokens.
  private func singleTemplate(_ component: JSONObject, _ place: String) throws -> Template {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
    var passedText = false
    for (index, piece) in try reader.array(component["single"], place + ".single").enumerated() {
      let here = "\(place).single[\(index)]"
      if let sequence = piece["Sequence"] {
        let name = try reader.string(sequence["id"], here + ".Sequence.id")
        guard name == "A", !passedText else {
          throw reader.inconsistent(here, "a template for one text contains it once, as sequence A")
        }
        passedText = true
        continue
      }
      let name = try reader.string(piece["SpecialToken"]?["id"], here + ".SpecialToken.id")
      let tokens = "\(place).special_tokens"
      let listed = try reader.object(component["special_tokens"], tokens)[name]
      guard let listed else { throw reader.inconsistent(here, "'\(name)' is not among the special_tokens") }
      let ids = try reader.array(listed["ids"], "\(tokens).\(name).ids").map {
        try reader.id($0, "\(tokens).\(name).ids")
      }
      if passedText { suffix += ids } else { prefix += ids }
    }
    guard passedText else { throw reader.inconsistent(place + ".single", "the text itself does not occur") }
    return (prefix, suffix)
  }
}
