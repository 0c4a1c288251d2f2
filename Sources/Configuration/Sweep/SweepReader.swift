import Terminal
import Yams

extension SweepDescription {
  /// Reads the section `sweep` of a configuration file; nil where there is none.
  ///
  /// - Throws: `SweepError` with every problem of the section. The keys' values are not looked at: the points' configurations
  ///   are, when they are resolved.
  public init?(file path: String) throws(SweepError) {
    let text: String
    do throws(TextFile.Failure) {
      text = try TextFile.read(path, limit: YAMLReader.maximumBytes)
    } catch {
      throw SweepError([TextFile.report(error, path: path, purpose: "sweep")])
    }
    try self.init(yaml: text, name: path)
  }

  /// - Parameter name: Of the text, in messages.
  init?(yaml: String, name: String) throws(SweepError) {
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw SweepError("\(name) is not readable as YAML: \(error)")
    }
    guard let node = root?.mapping?.first(where: { $0.key.string == Self.section })?.value else { return nil }
    var reader = SweepReader(name: name)
    reader.read(node)
    guard reader.problems.isEmpty else { throw SweepError(reader.problems) }
    self = reader.description
  }
}

/// Walks the section `sweep`.
private struct SweepReader {
  let name: String
  var description = SweepDescription()
  var problems: [ErrorReport] = []

  init(name: String) { self.name = name }

  mutating func read(_ node: Node) {
    guard case .mapping(let mapping) = node else {
      return refuse(node, "sweep holds grid, points or baseline")
    }
    for (key, value) in mapping {
      switch key.string {
      case "grid": readGrid(value, prefix: "")
      case "points": readPoints(value)
      case "baseline": description.baseline = settings(value, of: "baseline")
      default:
        refuse(
          key, "sweep has no '\(key.string ?? "")'",
          hints: nameHints(for: key.string ?? "", in: ["grid", "points", "baseline"], noun: "in sweep"))
      }
    }
  }

  private mutating func readGrid(_ node: Node, prefix: String) {
    guard case .mapping(let mapping) = node else {
      return refuse(node, "grid holds keys and lists of values")
    }
    for (keyNode, value) in mapping {
      let key = prefix + (keyNode.string ?? "")
      switch value {
      case .mapping where ConfigurationSchema.sections.contains(key): readGrid(value, prefix: key + ".")
      case .sequence(let values): addAxis(key, Array(values), at: keyNode)
      case .scalar: addAxis(key, [value], at: keyNode)
      case .mapping, .alias: refuse(keyNode, "\(key) in grid needs a list of values")
      }
    }
  }

  private mutating func addAxis(_ key: String, _ nodes: [Node], at keyNode: Node) {
    let values = nodes.compactMap { assignment(key, $0) }
    guard values.count == nodes.count else { return }
    if values.isEmpty { return refuse(keyNode, "\(key) in grid has no values") }
    let texts = values.map(\.value)
    if let twice = texts.indices.first(where: { texts[..<$0].contains(texts[$0]) }) {
      return refuse(keyNode, "\(key) in grid has the value '\(texts[twice])' twice")
    }
    description.axes.append(SweepAxis(key: key, values: values))
  }

  private mutating func readPoints(_ node: Node) {
    guard case .sequence(let sequence) = node else { return refuse(node, "points is a list") }
    for element in sequence {
      guard case .mapping(let mapping) = element else {
        refuse(element, "a point holds a name, keys and values")
        continue
      }
      var point = SweepPoint(settings: [])
      for (keyNode, value) in mapping {
        switch keyNode.string {
        case "name": point.name = value.scalar?.string
        case "folder": point.folder = value.scalar?.string
        default: point.settings += settings(key: keyNode.string ?? "", value)
        }
      }
      if let name = point.name, description.points.contains(where: { $0.name == name && $0.folder == nil }) {
        refuse(element, "two points have the name '\(name)'")
      }
      if point.name == nil, point.folder == nil {
        refuse(element, "a point has no name", hints: ["name: NAME"])
      }
      description.points.append(point)
    }
  }

  private mutating func settings(_ node: Node, of part: String) -> [Assignment] {
    guard case .mapping(let mapping) = node else {
      refuse(node, "\(part) holds keys and values")
      return []
    }
    var found: [Assignment] = []
    for (key, value) in mapping { found += settings(key: key.string ?? "", value) }
    return found
  }

  /// A key and its value; the keys of a section one by one.
  private mutating func settings(key: String, _ value: Node) -> [Assignment] {
    guard case .mapping(let mapping) = value, ConfigurationSchema.sections.contains(key) else {
      return assignment(key, value).map { [$0] } ?? []
    }
    return mapping.compactMap { assignment(key + "." + ($0.key.string ?? ""), $0.value) }
  }

  private mutating func assignment(_ key: String, _ node: Node) -> Assignment? {
    let place = "\(name):\(node.mark?.line ?? 1)"
    switch node {
    case .scalar(let scalar):
      let isPlain = scalar.style == .plain || scalar.style == .any
      let isNone = isPlain && ["", "~", "Null", "NULL"].contains(scalar.string)
      return Assignment(key: key, value: isNone ? "null" : scalar.string, flag: place)
    case .sequence(let elements):
      let texts = elements.compactMap { $0.scalar?.string }
      guard texts.count == elements.count, texts.allSatisfy({ !$0.contains { ",[]".contains($0) } }) else {
        refuse(node, "\(key) holds a list of something else than plain texts")
        return nil
      }
      return Assignment(key: key, value: "[" + texts.joined(separator: ", ") + "]", flag: place)
    case .mapping, .alias:
      refuse(node, "\(key) needs a value")
      return nil
    }
  }

  private mutating func refuse(_ node: Node, _ message: String, hints: [String] = []) {
    problems.append(ErrorReport("\(name):\(node.mark?.line ?? 1): \(message)", hints: hints))
  }
}
