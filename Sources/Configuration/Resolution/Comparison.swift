/// A key with two values.
public struct KeyChange: Sendable {
  /// The key.
  public let key: ConfigurationKey
  /// Its value before.
  public let before: ConfigurationValue
  /// Its value now.
  public let after: ConfigurationValue

  /// Whether what is learnt may change, so that resuming needs the person's word; logging, saving and measuring
  /// do not.
  public var changesTraining: Bool { !key.isObservation }

  /// One line: `steps: 1000 > 2000`.
  public var description: String { "\(key.name): \(before.display) > \(after.display)" }
}

extension RunConfiguration {
  /// The keys whose values differ, in the order of the schema.
  ///
  /// `extends` and `preset` are left out: only what they lead to counts.
  public func changes(to other: RunConfiguration) -> [KeyChange] {
    ConfigurationSchema.keys.compactMap { key in
      guard key.name != "extends", key.name != "preset" else { return nil }
      let before = key.read(self)
      let after = key.read(other)
      return before == after ? nil : KeyChange(key: key, before: before, after: after)
    }
  }
}
