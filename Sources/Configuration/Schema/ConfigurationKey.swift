/// One key of the configuration, declared once: parser, validation, documentation, schema and completion follow.
public struct ConfigurationKey: Sendable {
  /// The dotted name: `optimizer.learning_rate`.
  public let name: String
  /// What it takes.
  public let kind: ValueKind
  /// Whether it may be absent (`null`).
  public let isOptional: Bool
  /// The built-in value; for derived keys the one derived from the other built-in values.
  public let defaultValue: ConfigurationValue
  /// The unit, empty for none.
  public let unit: String
  /// The allowed values of a numeric key.
  public let range: ValueRange?
  /// One sentence.
  public let summary: String
  /// The rule that gives the value while nobody sets it, nil for an ordinary key.
  public let derivation: String?
  /// Whether a resumed run may change it without changing what is learnt (logging, saving, measuring).
  public let isObservation: Bool

  let read: @Sendable (RunConfiguration) -> ConfigurationValue
  let write: @Sendable (inout RunConfiguration, ConfigurationValue) -> Bool

  /// Declares a key for a field; type and default follow from the field.
  init<Value: ConfigurableValue>(
    _ name: String, _ field: any WritableKeyPath<RunConfiguration, Value> & Sendable, unit: String = "",
    range: ValueRange? = nil, derived: String? = nil, observes: Bool = false, _ summary: String
  ) {
    self.name = name
    self.unit = unit
    self.range = range
    self.summary = summary
    derivation = derived
    isObservation = observes
    kind = Value.kind
    isOptional = Value.isOptional
    defaultValue = RunConfiguration()[keyPath: field].configurationValue
    read = { $0[keyPath: field].configurationValue }
    write = { configuration, written in
      guard let value = Value(written) else { return false }
      configuration[keyPath: field] = value
      return true
    }
  }

  /// The section, empty for a key at the top.
  public var section: String {
    name.split(separator: ".").dropLast().joined(separator: ".")
  }

  /// The name inside the section.
  public var shortName: String {
    name.split(separator: ".").last.map(String.init) ?? name
  }

  /// The environment variable: `NIBBLE_`, then the dotted name in capitals with `_` for the dot.
  public var environmentVariable: String {
    "NIBBLE_" + String(name.uppercased().map { $0 == "." ? "_" : $0 })
  }

  /// Whether `null` is a value: the key is optional, or derived (then null means: derive it).
  public var acceptsNone: Bool { isOptional || derivation != nil }
}
