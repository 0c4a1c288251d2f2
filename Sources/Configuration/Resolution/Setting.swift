import Terminal

/// One written value, decoded.
struct Setting {
  var key: ConfigurationKey
  var value: ConfigurationValue
  var origin: Origin
  /// Where it stands within its layer, for the order of problems.
  var position: Position
}

/// A place within a layer.
struct Position: Comparable {
  var line: Int
  var column = 0

  static func < (a: Position, b: Position) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A problem with its place within its layer.
struct PlacedProblem {
  var position: Position
  var problem: ConfigurationProblem
  /// The key it concerns, so that no follow-up problem is reported for it.
  var key: String?

  init(_ report: ErrorReport, origin: Origin?, position: Position, key: String? = nil) {
    self.position = position
    self.key = key
    problem = ConfigurationProblem(report: report, origin: origin)
  }
}

/// What one source says, and what is wrong with it.
struct Layer {
  var settings: [Setting] = []
  var problems: [PlacedProblem] = []

  /// Decodes a scalar and files it as a setting or a problem.
  mutating func add(
    _ text: String, notation: ScalarNotation, key: ConfigurationKey, origin: Origin, position: Position
  ) {
    do throws(ScalarDecoding.Failure) {
      let value = try ScalarDecoding.value(text, notation: notation, for: key, place: origin.place)
      settings.append(Setting(key: key, value: value, origin: origin, position: position))
    } catch {
      refuse(
        ErrorReport(error.message, hints: error.hints), origin: origin, position: position, key: key.name)
    }
  }

  mutating func refuse(_ report: ErrorReport, origin: Origin?, position: Position, key: String? = nil) {
    problems.append(PlacedProblem(report, origin: origin, position: position, key: key))
  }

  /// The last value given for a key in this layer.
  func setting(of name: String) -> Setting? { settings.last { $0.key.name == name } }

  /// The texts of a list or text key in this layer, nil if it does not set the key.
  func texts(of name: String) -> [String]? {
    guard let setting = setting(of: name) else { return nil }
    switch setting.value {
    case .list(let values): return values
    case .text(let value): return [value]
    case .none, .integer, .number, .boolean: return []
    }
  }
}
