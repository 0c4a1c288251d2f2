/// The configurations shipped inside the program.
public enum Presets {
  /// Their names, smallest first.
  public static let names = ["mqar", "first-run", "shakespeare", "tiny", "small", "base", "gpt2", "long"]

  /// The YAML of a shipped configuration, nil if there is none of that name.
  public static func yaml(named name: String) -> String? {
    switch name {
    case "mqar": mqar
    case "first-run": firstRun
    case "shakespeare": shakespeare
    case "tiny": tiny
    case "small": small
    case "base": base
    case "gpt2": gpt2
    case "long": long
    default: nil
    }
  }

  /// What a shipped configuration is for: the first comment line of its YAML.
  public static func summary(of name: String) -> String? {
    guard let line = yaml(named: name)?.split(separator: "\n").first, line.hasPrefix("# ") else { return nil }
    return String(line.dropFirst(2))
  }

  /// The shipped name meant by `small`, `presets/small` or `presets/small.yaml`; nil if none is.
  static func name(from written: String) -> String? {
    var name = written
    if name.hasPrefix("presets/") { name.removeFirst("presets/".count) }
    if name.hasSuffix(".yaml") { name.removeLast(".yaml".count) }
    return names.contains(name) ? name : nil
  }
}
