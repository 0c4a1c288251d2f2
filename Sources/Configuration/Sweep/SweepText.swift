extension SweepDescription {
  /// The section as YAML: points with their folders, names, keys and values.
  ///
  /// Reading it back gives the same points.
  ///
  /// - Parameter comment: Lines at the top.
  public func yaml(comment: [String]) -> String {
    var lines = comment.map { "# " + $0.map { $0.isNewline ? " " : String($0) }.joined() }
    lines += [Self.section + ":"]
    lines += baseline.isEmpty ? [] : ["  baseline: {\(baseline.map(Self.pair).joined(separator: ", "))}"]
    lines += ["  points:"]
    for point in points {
      let names = [("folder", point.folder), ("name", point.name)].compactMap { key, text in
        text.map { "\(key): \(YAMLText.scalar($0))" }
      }
      let pairs = names + point.settings.map(Self.pair)
      lines.append("    - {\(pairs.joined(separator: ", "))}")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func pair(_ setting: Assignment) -> String { "\(setting.key): \(scalar(setting.value))" }

  /// Numbers and words as they are; everything else in quotes, lists as well, since a point's values are texts.
  private static func scalar(_ text: String) -> String {
    ScalarDecoding.decimalNumber(text) != nil || ["true", "false", "null"].contains(text)
      ? text : YAMLText.scalar(text)
  }
}

extension ResolvedConfiguration {
  /// The value of a key as a configuration writes it; nil for a name that is no key.
  public func display(of name: String) -> String? {
    ConfigurationSchema.key(named: name).map { $0.read(values).written }
  }
}
