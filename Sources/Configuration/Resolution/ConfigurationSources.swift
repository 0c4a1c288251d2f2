/// What a configuration is resolved from.
public struct ConfigurationSources: Sendable {
  /// A YAML text with the name it has in messages.
  public struct Text: Sendable {
    /// The YAML.
    public var yaml: String
    /// As shown in origins: `run.yaml`.
    public var name: String

    /// A text that is not a file (standard input, a test).
    public init(yaml: String, name: String) {
      self.yaml = yaml
      self.name = name
    }
  }

  /// The configuration file's path, nil for none.
  public var file: String?
  /// A text in place of the file.
  public var text: Text?
  /// The environment; only `NIBBLE_...` is looked at.
  public var environment: [String: String]
  /// Keys set on the line, in order; the last of equals wins.
  public var assignments: [Assignment]
  /// Whether the file may have a section `sweep`, which is passed over: see `SweepDescription`.
  public var allowsSweep: Bool

  /// Sources; nothing given is the built-in configuration.
  public init(
    file: String? = nil, text: Text? = nil, environment: [String: String] = [:],
    assignments: [Assignment] = [], allowsSweep: Bool = false
  ) {
    self.file = file
    self.text = text
    self.environment = environment
    self.assignments = assignments
    self.allowsSweep = allowsSweep
  }
}
