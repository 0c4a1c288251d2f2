public import Terminal

extension ConfigurationSchema {
  /// The keys as a JSON Schema (draft 2020-12), for editors: the YAML of a configuration validates against it.
  ///
  /// Units stand in `x-unit`, the rules of derived values in `x-derived`.
  public static var jsonSchema: JSONText {
    var properties = keys(inSection: "").map { JSONText.Member($0.shortName, schema(of: $0)) }
    for section in sections {
      let members = keys(inSection: section).map { JSONText.Member($0.shortName, schema(of: $0)) }
      properties.append(
        JSONText.Member(
          section,
          [
            "type": ["object", "null"],
            "description": .string(summary(ofSection: section)),
            "properties": .object(members),
            "additionalProperties": false,
          ]))
    }
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "Nibble training configuration",
      "type": "object",
      "properties": .object(properties),
      "additionalProperties": false,
    ]
  }

  private static func schema(of key: ConfigurationKey) -> JSONText {
    var members = [JSONText.Member("description", .string(key.summary))]
    members += typeMembers(of: key)
    if let range = key.range {
      if let lower = range.lower {
        members.append(.init(range.includesLower ? "minimum" : "exclusiveMinimum", number(lower)))
      }
      if let upper = range.upper {
        members.append(.init(range.includesUpper ? "maximum" : "exclusiveMaximum", number(upper)))
      }
    }
    if let rule = key.derivation {
      members.append(.init("x-derived", .string(rule)))
    } else {
      members.append(.init("default", json(key.defaultValue)))
    }
    if !key.unit.isEmpty { members.append(.init("x-unit", .string(key.unit))) }
    return .object(members)
  }

  private static func typeMembers(of key: ConfigurationKey) -> [JSONText.Member] {
    func type(_ name: String) -> [JSONText.Member] {
      [.init("type", key.acceptsNone ? [.string(name), "null"] : .string(name))]
    }
    switch key.kind {
    case .integer: return type("integer")
    case .number: return type("number")
    case .boolean: return type("boolean")
    case .text: return type("string")
    case .choice(let names):
      return [.init("enum", .array(names.map { .string($0) } + (key.acceptsNone ? [.null] : [])))]
    case .list:
      return [.init("type", ["string", "array"]), .init("items", ["type": "string"])]
    }
  }

  fileprivate static func json(_ value: ConfigurationValue) -> JSONText {
    switch value {
    case .none: .null
    case .integer(let integer): .integer(integer)
    case .number(let double): number(double)
    case .boolean(let boolean): .boolean(boolean)
    case .text(let text): .string(text)
    case .list(let list): .array(list.map { .string($0) })
    }
  }

  private static func number(_ value: Double) -> JSONText {
    Int(exactly: value).map { .integer($0) } ?? .number(value)
  }
}

extension ResolvedConfiguration {
  /// Values and origins as data: `{"key": {"value": ..., "from": "..."}}`, for `config show --json`.
  public var json: JSONText {
    .object(
      entries.map { entry in
        .init(
          entry.key.name,
          ["value": ConfigurationSchema.json(entry.value), "from": .string(entry.origin.description)])
      })
  }
}
