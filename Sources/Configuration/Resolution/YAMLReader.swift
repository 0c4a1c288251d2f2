import Terminal
import Yams

/// Reads a YAML text strictly against the schema.
struct YAMLReader {
  /// The most bytes a configuration may have.
  static let maximumBytes = 1 << 20

  /// Makes the origin of a line.
  let origin: (Int) -> Origin
  /// The name in messages: a path or `presets/small`.
  let name: String
  /// Whether a section `sweep` is passed over.
  let allowsSweep: Bool
  private var layer = Layer()

  init(name: String, allowsSweep: Bool, origin: @escaping (Int) -> Origin) {
    self.name = name
    self.allowsSweep = allowsSweep
    self.origin = origin
  }

  /// Everything the text sets, and all its problems.
  static func read(
    _ text: String, name: String, allowsSweep: Bool = false, origin: @escaping (Int) -> Origin
  ) -> Layer {
    var reader = YAMLReader(name: name, allowsSweep: allowsSweep, origin: origin)
    guard text.utf8.count <= maximumBytes else {
      reader.refuse("\(name) has \(text.utf8.count) bytes, too many for a configuration", line: 1)
      return reader.layer
    }
    do {
      guard let root = try Yams.compose(yaml: text) else { return reader.layer }
      reader.readTop(root)
    } catch let error as YamlError {
      reader.refuse(error, in: text)
    } catch {
      reader.refuse("\(name) is not readable as YAML: \(error)", line: 1)
    }
    return reader.layer
  }

  private mutating func readTop(_ root: Node) {
    switch root {
    case .mapping(let mapping): readKeys(of: mapping, section: "")
    case .scalar(let scalar) where isEmpty(scalar): return
    case .scalar, .sequence, .alias:
      refuse(
        "\(name) holds \(description(of: root)), not keys", line: line(of: root),
        hints: ["write 'key: value' lines, such as 'steps: 1000'"])
    }
  }

  private mutating func readKeys(of mapping: Node.Mapping, section: String) {
    for (keyNode, value) in mapping {
      guard case .scalar(let scalar) = keyNode else {
        refuse("\(description(of: keyNode)) as a key \(place(keyNode))", line: line(of: keyNode))
        continue
      }
      let fullName = section.isEmpty ? scalar.string : section + "." + scalar.string
      if allowsSweep, fullName == SweepDescription.section { continue }
      if section.isEmpty, ConfigurationSchema.sections.contains(scalar.string) {
        readSection(scalar.string, value, at: keyNode)
      } else if let key = ConfigurationSchema.key(named: fullName), key.section == section {
        readValue(value, of: key, at: keyNode)
      } else {
        refuseUnknown(scalar.string, section: section, at: keyNode)
      }
    }
  }

  private mutating func readSection(_ section: String, _ node: Node, at keyNode: Node) {
    switch node {
    case .mapping(let mapping): readKeys(of: mapping, section: section)
    case .scalar(let scalar) where isEmpty(scalar): return
    case .scalar, .sequence, .alias:
      let names = ConfigurationSchema.keys(inSection: section).map(\.shortName).joined(separator: ", ")
      refuse(
        "'\(section)' \(place(keyNode)) is a section and holds keys, not \(description(of: node))",
        line: line(of: keyNode), column: column(of: keyNode), hints: ["keys here: \(names)"])
    }
  }

  private mutating func readValue(_ node: Node, of key: ConfigurationKey, at keyNode: Node) {
    let position = Position(line: line(of: keyNode), column: column(of: keyNode))
    let origin = origin(position.line)
    switch node {
    case .scalar(let scalar):
      let notation: ScalarNotation = scalar.style == .plain || scalar.style == .any ? .plain : .quoted
      layer.add(scalar.string, notation: notation, key: key, origin: origin, position: position)
    case .sequence(let sequence) where key.kind == .list:
      readList(Array(sequence), of: key, origin: origin, position: position)
    case .sequence, .mapping, .alias:
      let report = ErrorReport(
        "\(key.name) \(origin.place) takes \(key.kind.phrase), not \(description(of: node))")
      layer.refuse(report, origin: origin, position: position, key: key.name)
    }
  }

  private mutating func readList(
    _ nodes: [Node], of key: ConfigurationKey, origin: Origin, position: Position
  ) {
    var texts: [String] = []
    for node in nodes {
      guard case .scalar(let scalar) = node, !isEmpty(scalar) else {
        let report = ErrorReport(
          "\(key.name) \(origin.place) is a list of texts, with \(description(of: node)) in it")
        layer.refuse(report, origin: origin, position: position, key: key.name)
        return
      }
      texts.append(scalar.string)
    }
    layer.settings.append(Setting(key: key, value: .list(texts), origin: origin, position: position))
  }

  private mutating func refuseUnknown(_ written: String, section: String, at node: Node) {
    let inSection = ConfigurationSchema.keys(inSection: section).map(\.shortName)
    let here = section.isEmpty ? inSection + ConfigurationSchema.sections : inSection
    let shown = section.isEmpty ? written : "\(section).\(written)"
    refuse(
      "unknown key '\(shown)' \(place(node))", line: line(of: node), column: column(of: node),
      hints: UnknownKey.hints(for: written, section: section, here: here))
  }

  private mutating func refuse(_ message: String, line: Int, column: Int = 0, hints: [String] = []) {
    layer.refuse(
      ErrorReport(message, hints: hints), origin: origin(line), position: Position(line: line, column: column)
    )
  }

  private mutating func refuse(_ error: YamlError, in text: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      let written = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(mark.line - 1)
        .first
      let detail = written.map { "line \(mark.line), column \(mark.column): \($0.prefix(100))" }
      layer.refuse(
        ErrorReport("\(name):\(mark.line) is not YAML: \(problem)", details: detail.map { [$0] } ?? []),
        origin: origin(mark.line), position: Position(line: mark.line, column: mark.column))
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "'\($0)'" }.joined(separator: ", ")
      refuse(
        "\(names) \(origin(context.mark.line).place) stands there more than once", line: context.mark.line)
    case .reader(let problem, let offset, _, _):
      let line = offset.map { text.prefix($0).count { $0.isNewline } + 1 } ?? 1
      refuse("\(name):\(line) is not YAML: \(problem)", line: line)
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      refuse("\(name) is not readable as YAML: \(error)", line: 1)
    }
  }

  private func isEmpty(_ scalar: Node.Scalar) -> Bool {
    (scalar.style == .plain || scalar.style == .any)
      && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }

  private func line(of node: Node) -> Int { node.mark?.line ?? 1 }
  private func column(of node: Node) -> Int { node.mark?.column ?? 0 }
  private func place(_ node: Node) -> String { origin(line(of: node)).place }

  private func description(of node: Node) -> String {
    switch node {
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    case .scalar(let scalar): isEmpty(scalar) ? "nothing" : "'\(scalar.string.prefix(80))'"
    }
  }
}

/// Hints for a key that does not exist.
enum UnknownKey {
  /// The nearest name here, else the same name in another section, else the names here.
  static func hints(for written: String, section: String, here: [String]) -> [String] {
    if section.isEmpty, written == SweepDescription.section {
      return ["a file with a section sweep is for nibble sweep"]
    }
    if nearestName(to: written, in: here) != nil {
      return nameHints(for: written, in: here, noun: "keys here")
    }
    if let nested = ConfigurationSchema.key(named: written) {
      return ["write '\(nested.section):' and below it, indented, '\(nested.shortName):'"]
    }
    let elsewhere = ConfigurationSchema.keys.filter { $0.shortName == written && $0.section != section }
    if !elsewhere.isEmpty {
      return ["did you mean '" + elsewhere.map(\.name).joined(separator: "' or '") + "'?"]
    }
    return ["keys here: " + here.joined(separator: ", ")]
  }
}
