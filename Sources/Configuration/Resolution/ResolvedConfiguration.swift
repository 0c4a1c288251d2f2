public import Terminal

/// A complete configuration and where each value comes from.
public struct ResolvedConfiguration: Sendable, Equatable {
  /// One key with its value and origin.
  public struct Entry: Sendable {
    /// The key.
    public let key: ConfigurationKey
    /// Its value.
    public let value: ConfigurationValue
    /// Where it comes from.
    public let origin: Origin
  }

  /// The values.
  public let values: RunConfiguration
  /// Values that were written and have no effect.
  public let warnings: [ConfigurationProblem]
  private let origins: [String: Origin]

  /// Resolves a configuration from its sources.
  ///
  /// Weakest to strongest: built-in, `preset`, `extends` in order, file, environment, assignments. Derived keys
  /// that no layer sets follow from the others; `null` takes a derived key back to its rule.
  ///
  /// - Throws: `ConfigurationError` with every problem of every layer, in the order of layers and lines.
  public init(_ sources: ConfigurationSources) throws(ConfigurationError) {
    let layers = LayerStack.gathered(from: sources)
    var values = RunConfiguration()
    var origins: [String: Origin] = [:]
    var places: [String: (layer: Int, position: Position)] = [:]
    for (index, layer) in layers.enumerated() {
      for setting in layer.settings {
        let key = setting.key
        let isBase = index < layers.count - (sources.file == nil && sources.text == nil ? 2 : 3)
        // A base's own bases are in the stack already and are none of the run's.
        if isBase, key.name == "extends" || key.name == "preset" { continue }
        places[key.name] = (index, setting.position)
        if setting.value == .none, key.derivation != nil {
          origins[key.name] = nil
        } else {
          _ = key.write(&values, setting.value)
          origins[key.name] = setting.origin
        }
      }
    }
    Derivation.dropUnread(&values, &origins)
    Derivation.apply(to: &values, pinned: Set(origins.keys))
    for key in ConfigurationSchema.keys where origins[key.name] == nil {
      origins[key.name] = key.derivation.map { .derived(rule: $0) } ?? .builtIn
    }
    let problems = ResolvedConfiguration.problems(layers, values: values, origins: origins, places: places)
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    self.values = values
    self.origins = origins
    warnings = IneffectiveKeys.warnings(for: values, origins: origins)
  }

  /// All keys in the order of the schema.
  public var entries: [Entry] {
    ConfigurationSchema.keys.map { key in
      Entry(key: key, value: key.read(values), origin: origin(of: key.name))
    }
  }

  /// Where a key's value comes from; `built-in` for a name that is no key.
  public func origin(of name: String) -> Origin { origins[name] ?? .builtIn }

  /// Keys, values and origins as a table: what `config show` prints.
  public var table: Table {
    var table = Table([
      .init("KEY"), .init("VALUE", .left), .init("UNIT", priority: 1), .init("FROM", .left),
    ])
    for entry in entries {
      table.append([entry.key.name, entry.value.display, entry.key.unit, entry.origin.description])
    }
    return table
  }

  /// Problems of the layers, then of derived values and combinations at the place of their last written key.
  private static func problems(
    _ layers: [Layer], values: RunConfiguration, origins: [String: Origin],
    places: [String: (layer: Int, position: Position)]
  ) -> [ConfigurationProblem] {
    var placed: [(layer: Int, problem: PlacedProblem)] = []
    for (index, layer) in layers.enumerated() {
      placed += layer.problems.map { (index, $0) }
    }
    let broken = Set(placed.compactMap(\.problem.key))
    var contradictions = derivedOutOfRange(values, origins: origins)
    contradictions += Checks.contradictions(in: values, origins: origins)
    for contradiction in contradictions where broken.isDisjoint(with: contradiction.keys) {
      let written = contradiction.keys.compactMap { name in places[name].map { (name, $0) } }
      let last = written.max { ($0.1.layer, $0.1.position) < ($1.1.layer, $1.1.position) }
      var report = contradiction.report
      let sources = contradiction.keys.compactMap { name -> String? in
        guard let origin = origins[name], origin != .builtIn else { return nil }
        return "\(name): \(origin)"
      }
      report.details = sources + report.details
      let position = last?.1.position ?? Position(line: Int.max)
      placed.append(
        (
          last?.1.layer ?? layers.count,
          PlacedProblem(report, origin: last.flatMap { origins[$0.0] }, position: position)
        ))
    }
    // Sorting pairs with their index keeps the order of equals.
    let sorted = placed.enumerated().sorted { a, b in
      (a.element.layer, a.element.problem.position, a.offset)
        < (b.element.layer, b.element.problem.position, b.offset)
    }
    return sorted.map(\.element.problem.problem)
  }

  private static func derivedOutOfRange(
    _ values: RunConfiguration, origins: [String: Origin]
  ) -> [Contradiction] {
    ConfigurationSchema.keys.compactMap { key in
      guard case .derived(let rule) = origins[key.name] ?? .builtIn else { return nil }
      do throws(ScalarDecoding.Failure) {
        try ScalarDecoding.check(key.read(values), for: key, place: "(derived: \(rule))")
        return nil
      } catch {
        return Contradiction([key.name], error.message, hints: ["set \(key.name)"])
      }
    }
  }
}
