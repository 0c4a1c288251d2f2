/// Where a value comes from.
public enum Origin: Sendable, Hashable, CustomStringConvertible {
  /// The program's own default.
  case builtIn
  /// A rule over other values.
  case derived(rule: String)
  /// A shipped configuration.
  case preset(name: String, line: Int)
  /// A file.
  case file(path: String, line: Int)
  /// An environment variable.
  case environment(variable: String)
  /// `key=value` on the line.
  case commandLine
  /// A flag that stands for a key.
  case flag(String)

  /// As `config show` prints it: `built-in`, `presets/shakespeare`, `run.yaml:12`, `command line`.
  public var description: String {
    switch self {
    case .builtIn: "built-in"
    case .derived(let rule): "derived: \(rule)"
    case .preset(let name, _): "presets/\(name)"
    case .file(let path, let line): "\(path):\(line)"
    case .environment(let variable): variable
    case .commandLine: "command line"
    case .flag(let name): name
    }
  }

  /// As a sentence has it: `in run.yaml:12`, `on the command line`.
  var place: String {
    switch self {
    case .builtIn: "built-in"
    case .derived: "derived"
    case .preset(let name, let line): "in presets/\(name):\(line)"
    case .file(let path, let line): "in \(path):\(line)"
    case .environment(let variable): "in \(variable)"
    case .commandLine: "on the command line"
    case .flag(let name): "in \(name)"
    }
  }

  /// Whether a person wrote the value: not the program, its rules or its presets.
  var isPersonal: Bool {
    switch self {
    case .builtIn, .derived, .preset: false
    case .file, .environment, .commandLine, .flag: true
    }
  }
}
