extension Checks {
  /// Mixers that exist, in a family that has them, and no setting that none of them reads.
  mutating func checkMixers() {
    let mixer = configuration.mixer
    if mixer.kind != .attention, !mixer.pattern.isEmpty {
      add(
        ["mixer.kind", "mixer.pattern"], "mixer.kind and mixer.pattern both choose the mixers",
        "leave out mixer.kind")
    }
    let known = MixerName.allCases.map(\.rawValue)
    for name in mixer.pattern where !known.contains(name) {
      add(["mixer.pattern"], "there is no mixer '\(name)'", "known: \(known.joined(separator: ", "))")
    }
    let used = Set(mixer.names(layers: configuration.model.layers))
    let linear = used.subtracting([MixerName.attention.rawValue])
    checkReaders(used)
    guard configuration.model.architecture != .llama else { return }
    if !linear.isEmpty {
      add(
        ["model.architecture"] + (mixer.pattern.isEmpty ? ["mixer.kind"] : ["mixer.pattern"]),
        "\(configuration.model.architecture.rawValue) has attention in every layer",
        "model.architecture=llama")
    }
    if !configuration.model.rotary {
      add(
        ["model.architecture", "model.rotary"],
        "model.rotary is false, but \(configuration.model.architecture.rawValue) "
          + (configuration.model.architecture == .gpt2 ? "never rotates" : "always rotates"),
        "leave out model.rotary")
    }
  }

  /// Keys of linear mixers and the mixers that read them; nil is every linear one.
  private static let readers: [(key: String, mixers: Set<String>?)] = [
    ("mixer.convolution", nil), ("mixer.value_expansion", nil), ("mixer.output_gate", nil),
    ("mixer.feature_map", ["linear"]), ("mixer.normalize", ["linear"]),
    ("mixer.decay", ["retention", "lightning"]),
    ("mixer.gate", ["scalar_gate", "gated_delta"]),
    ("mixer.negative_eigenvalues", ["delta", "gated_delta"]),
  ]

  private mutating func checkReaders(_ used: Set<String>) {
    // A file with every key may repeat the defaults.
    for (key, mixers) in Self.readers where isChanged(key) {
      let readers =
        mixers ?? Set(MixerName.allCases.map(\.rawValue)).subtracting([MixerName.attention.rawValue])
      guard used.isDisjoint(with: readers) else { continue }
      add(
        [key],
        "\(key) has no effect: no layer has \(mixers.map { $0.sorted().joined(separator: " or ") } ?? "a linear mixer")",
        "leave it out, or choose a mixer with mixer.kind or mixer.pattern")
    }
  }

  /// Whether a key's value is not the built-in one.
  private func isChanged(_ name: String) -> Bool {
    guard let key = ConfigurationSchema.key(named: name) else { return false }
    return key.read(configuration) != key.read(RunConfiguration())
  }
}
