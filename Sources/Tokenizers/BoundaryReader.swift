import Files

/// Finds the ids that begin and end a text in the configuration files round a tokenizer.
struct BoundaryReader {
  let model: BPEModel
  let addedTokens: [AddedToken]
  private(set) var notices: [String] = []

  init(model: BPEModel, addedTokens: [AddedToken]) {
    self.model = model
    self.addedTokens = addedTokens
  }

  /// Names that end a text in well-known families, for folders without configuration.
  private static let usualEnds = ["<|endoftext|>", "<|end_of_text|>", "</s>"]

  mutating func boundaries(configuration: JSON?, modelConfigurations: [JSON]) -> TextBoundaries {
    var result = TextBoundaries()
    result.beginning = named("bos_token", configuration)
    result.end = named("eos_token", configuration)
    for settings in modelConfigurations {
      result.beginning = result.beginning ?? listed("bos_token_id", settings).first
      let ends = listed("eos_token_id", settings)
      result.end = result.end ?? ends.first
      for id in ends where !result.stops.contains(id) { result.stops.append(id) }
    }
    if result.end == nil {
      let special = addedTokens.filter(\.isSpecial)
      for name in Self.usualEnds where result.end == nil {
        result.end = special.first { $0.content == name }?.id
      }
    }
    if let end = result.end, !result.stops.contains(end) { result.stops.insert(end, at: 0) }
    return result
  }

  /// A token by name: a string, or an object with `content`.
  private mutating func named(_ key: String, _ configuration: JSON?) -> Int32? {
    guard let value = configuration?[key], !value.isNull else { return nil }
    guard let name = value.stringValue ?? value["content"]?.stringValue else {
      notices.append("\(key) in tokenizer_config.json is \(value.kind), not a token; it is not used")
      return nil
    }
    let added = addedTokens.first { $0.content.utf8.elementsEqual(name.utf8) }
    guard let id = added?.id ?? model.id(of: name) else {
      notices.append("\(key) '\(name)' of tokenizer_config.json is not in the vocabulary; it is not used")
      return nil
    }
    return id
  }

  /// One id or several.
  private mutating func listed(_ key: String, _ settings: JSON) -> [Int32] {
    guard let value = settings[key], !value.isNull else { return [] }
    var ids: [Int32] = []
    for element in value.arrayValue ?? [value] {
      if let id = element.integerValue.flatMap({ Int32(exactly: $0) }), isToken(id) {
        ids.append(id)
      } else {
        let text = element.serialized(.compact)
        notices.append("\(key) \(text) of the model's configuration is not in the vocabulary; it is not used")
      }
    }
    return ids
  }

  private func isToken(_ id: Int32) -> Bool {
    model.bytes(of: id) != nil || addedTokens.contains { $0.id == id }
  }
}
