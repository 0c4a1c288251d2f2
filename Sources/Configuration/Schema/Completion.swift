extension ConfigurationSchema {
  /// A way to go on with a half-typed `key=value`.
  public struct Completion: Sendable, Hashable {
    /// The whole argument so far: `optimizer.kind=` or `optimizer.kind=sgd`.
    public let text: String
    /// What it means.
    public let summary: String
  }

  /// The ways to go on with a half-typed argument, in the order of the schema.
  ///
  /// Before the `=` keys are offered, section by section first; after it the names a key knows.
  public static func completions(of argument: String) -> [Completion] {
    if let split = argument.firstIndex(of: "=") {
      let name = String(argument[..<split])
      guard let key = key(named: name) else { return [] }
      let typed = argument[argument.index(after: split)...]
      return values(of: key).filter { $0.hasPrefix(typed) }
        .map { Completion(text: "\(name)=\($0)", summary: key.summary) }
    }
    let matching = keys.filter { $0.name.hasPrefix(argument) }
    let top = matching.filter { $0.section.isEmpty }.map {
      Completion(text: $0.name + "=", summary: $0.summary)
    }
    guard !argument.contains(".") else {
      return matching.map { Completion(text: $0.name + "=", summary: $0.summary) }
    }
    let matchingSections = sections.filter { $0.hasPrefix(argument) }
    guard matchingSections.count != 1 || !top.isEmpty else {
      return matching.map { Completion(text: $0.name + "=", summary: $0.summary) }
    }
    return top + matchingSections.map { Completion(text: $0 + ".", summary: summary(ofSection: $0)) }
  }

  private static func values(of key: ConfigurationKey) -> [String] {
    if key.name == "preset" || key.name == "extends" { return Presets.names }
    return switch key.kind {
    case .choice(let names): names
    case .boolean: ["true", "false"]
    case .integer, .number, .text, .list: []
    }
  }
}
