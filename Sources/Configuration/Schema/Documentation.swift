public import Terminal

extension ConfigurationSchema {
  /// All keys as one table for the terminal: key, type, default, unit, range, meaning.
  public static var documentationTable: Table {
    var table = Table([
      .init("KEY", .left), .init("DEFAULT", .left), .init("TYPE", .left, priority: 2),
      .init("RANGE", .left, priority: 3), .init("UNIT", .left, priority: 4),
      .init("MEANING", .left),
    ])
    for key in keys {
      table.append([
        key.name, key.derivation == nil ? key.defaultValue.display : "derived", key.kind.display,
        key.range?.display ?? "", key.unit, key.summary,
      ])
    }
    return table
  }

  /// All keys in Markdown, one table a section, ending with a newline.
  public static var markdown: String {
    var text = "# Configuration keys\n"
    for section in [""] + sections {
      text += "\n## \(section.isEmpty ? "Top level" : "`\(section)`")\n\n\(summary(ofSection: section))\n\n"
      var table = Table([
        .init("Key", .left), .init("Type", .left), .init("Default", .left), .init("Range", .left),
        .init("Unit", .left), .init("Meaning", .left),
      ])
      for key in keys(inSection: section) {
        table.append([
          "`\(key.name)`", key.kind.display, key.documentedDefault, key.range?.display ?? "", key.unit,
          key.summary,
        ])
      }
      text += table.markdown + "\n"
    }
    return text
  }

  /// One key explained on its own, for `help` and mistakes.
  public static func explanation(of key: ConfigurationKey) -> String {
    var lines = [
      "\(key.name): \(key.summary)", "  takes: \(key.kind.display)", "  default: \(key.documentedDefault)",
    ]
    if let range = key.range {
      lines.append("  range: \(range.display)\(key.unit.isEmpty ? "" : " " + key.unit)")
    }
    lines.append("  environment: \(key.environmentVariable)")
    return lines.joined(separator: "\n")
  }
}

extension ConfigurationKey {
  /// The default as documentation shows it: a derived key shows its rule.
  public var documentedDefault: String {
    derivation.map { "derived: \($0)" } ?? defaultValue.display
  }
}
