import Configuration
import Terminal

/// The configuration of a run that goes on: its file with what this call sets on top.
///
/// The file of a run has every value, so that it means the same for ever. Where the value of a schedule's key is the
/// one that its rule gives, it goes on following its rule when this call changes what it is derived from: a run of
/// twice the steps decays over twice the steps. A value that differs from its rule was chosen and stays.
struct ContinuedConfiguration {
  let resolved: ResolvedConfiguration
  /// Keys that differ from the file, those that follow included.
  let changes: [KeyChange]
  private let following: Set<String>

  init(_ folder: String, _ assignments: [Assignment], environment: [String: String]) throws {
    let file = folder + "/config.yaml"
    let before = try ResolvedConfiguration(ConfigurationSources(file: file)).values
    let derived = ConfigurationSchema.keys.filter { key in
      key.section == "schedule" && key.derivation != nil
        && !assignments.contains { $0.key == key.name } && environment[key.environmentVariable] == nil
    }
    let following = derived.filter { (key: ConfigurationKey) -> Bool in
      // Each alone: the rule of one may need another that was chosen. Where rule and choice contradict each other, the
      // value was chosen.
      let alone = ConfigurationSources(file: file, assignments: [Assignment(key: key.name, value: "null")])
      guard let ruled = try? ResolvedConfiguration(alone).values else { return false }
      return before.changes(to: ruled).isEmpty
    }
    let freed = following.map { Assignment(key: $0.name, value: "null", flag: "derived") }
    resolved = try ResolvedConfiguration(
      ConfigurationSources(file: file, environment: environment, assignments: freed + assignments))
    changes = before.changes(to: resolved.values)
    self.following = Set(following.map { $0.name })
  }

  /// Whether a change of the key is only the consequence of another one.
  func follows(_ key: ConfigurationKey) -> Bool { following.contains(key.name) }
}
