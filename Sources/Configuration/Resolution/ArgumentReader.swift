import Terminal

/// A key set from outside the file.
public struct Assignment: Sendable, Hashable {
  /// As given: the dotted name.
  public var key: String
  /// As given.
  public var value: String
  /// The flag that stands for the key (`--data`), nil for `key=value`.
  public var flag: String?

  /// An assignment.
  public init(key: String, value: String, flag: String? = nil) {
    self.key = key
    self.value = value
    self.flag = flag
  }

  /// From `key=value`; nil if there is no `=` or nothing before it, or if it looks like a flag or a path.
  public init?(argument: String) {
    guard let split = argument.firstIndex(of: "="), split != argument.startIndex else { return nil }
    let key = String(argument[..<split])
    guard !key.hasPrefix("-"), !key.contains("/") else { return nil }
    self.init(key: key, value: String(argument[argument.index(after: split)...]))
  }

  var origin: Origin { flag.map { .flag($0) } ?? .commandLine }
}

/// Reads assignments and environment variables as layers.
enum ArgumentReader {
  static func read(_ assignments: [Assignment]) -> Layer {
    var layer = Layer()
    for (index, assignment) in assignments.enumerated() {
      let position = Position(line: index)
      if let key = ConfigurationSchema.key(named: assignment.key) {
        layer.add(
          assignment.value, notation: .argument, key: key, origin: assignment.origin, position: position)
      } else {
        layer.refuse(unknown(assignment), origin: assignment.origin, position: position)
      }
    }
    return layer
  }

  /// Reads `NIBBLE_...` variables in the order of the schema.
  ///
  /// A variable that begins with a section's name (`NIBBLE_OPTIMIZER_...`) or nearly matches a key is refused;
  /// others with the prefix belong to other parts of the program.
  static func read(environment: [String: String]) -> Layer {
    var layer = Layer()
    var known = Set(ConfigurationSchema.programVariables)
    for (index, key) in ConfigurationSchema.keys.enumerated() {
      known.insert(key.environmentVariable)
      guard let value = environment[key.environmentVariable] else { continue }
      layer.add(
        value, notation: .argument, key: key, origin: .environment(variable: key.environmentVariable),
        position: Position(line: index))
    }
    let ours = environment.keys.filter { $0.hasPrefix("NIBBLE_") && !known.contains($0) }.sorted()
    for (index, name) in ours.enumerated() {
      guard let hint = hint(forVariable: name) else { continue }
      layer.refuse(
        ErrorReport("unknown key in the environment: \(name)", hints: [hint]),
        origin: .environment(variable: name), position: Position(line: ConfigurationSchema.keys.count + index)
      )
    }
    return layer
  }

  /// The hint for a variable that is meant as a key, nil for one that is not.
  private static func hint(forVariable name: String) -> String? {
    let section = ConfigurationSchema.sections.first { name.hasPrefix("NIBBLE_\($0.uppercased())_") }
    let prefix = section.map { "NIBBLE_\($0.uppercased())_" } ?? "NIBBLE_"
    // The common beginning must not make unlike names look alike.
    let candidates = ConfigurationSchema.keys.filter { section == nil || $0.section == section }
      .map { String($0.environmentVariable.dropFirst(prefix.count)) }
    if let near = nearestName(to: String(name.dropFirst(prefix.count)), in: candidates) {
      return "did you mean '\(prefix)\(near)'?"
    }
    return section == nil ? nil : "variables here: " + candidates.map { prefix + $0 }.joined(separator: ", ")
  }

  private static func unknown(_ assignment: Assignment) -> ErrorReport {
    let place = assignment.origin.place
    if ConfigurationSchema.sections.contains(assignment.key) {
      let keys = ConfigurationSchema.keys(inSection: assignment.key).map(\.name)
      return ErrorReport(
        "'\(assignment.key)' \(place) is a section, not a key",
        hints: ["keys: " + keys.joined(separator: ", ")])
    }
    let message = "unknown key '\(assignment.key)' \(place)"
    let parts = assignment.key.split(separator: ".", maxSplits: 1).map(String.init)
    if parts.count == 2, ConfigurationSchema.sections.contains(parts[0]) {
      let here = ConfigurationSchema.keys(inSection: parts[0]).map(\.shortName)
      guard let near = nearestName(to: parts[1], in: here) else {
        return ErrorReport(message, hints: UnknownKey.hints(for: parts[1], section: parts[0], here: here))
      }
      return ErrorReport(message, hints: ["did you mean '\(parts[0]).\(near)=\(assignment.value)'?"])
    }
    if let near = nearestName(to: assignment.key, in: ConfigurationSchema.keys.map(\.name)) {
      return ErrorReport(message, hints: ["did you mean '\(near)=\(assignment.value)'?"])
    }
    let sameShort = ConfigurationSchema.keys.filter { $0.shortName == assignment.key }.map(\.name)
    let hint =
      sameShort.isEmpty
      ? "all keys: nibble config schema" : "did you mean '" + sameShort.joined(separator: "' or '") + "'?"
    return ErrorReport(message, hints: [hint])
  }
}
