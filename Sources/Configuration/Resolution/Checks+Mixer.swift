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
    let choice = mixer.pattern.isEmpty ? "mixer.kind" : "mixer.pattern"
    checkReaders(used)
    if used.contains(MixerName.sliding.rawValue), configuration.model.window == 0 {
      add(
        [choice, "model.window"], "\(choice) has sliding layers, but model.window is 0",
        "model.window=\(max(1, configuration.model.context / 4)), for example")
    }
    if used.contains(MixerName.linear.rawValue), mixer.normalize,
      [.identity, .silu].contains(mixer.featureMap)
    {
      add(
        ["mixer.feature_map", "mixer.normalize"],
        "features of \(mixer.featureMap.rawValue) can be negative: they have no denominator",
        "mixer.normalize=false")
    }
    guard configuration.model.architecture != .llama else { return }
    if used != [MixerName.attention.rawValue] {
      add(
        ["model.architecture", choice],
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

  private mutating func checkReaders(_ used: Set<String>) {
    let mixer = configuration.mixer
    let read = mixer.keys(readBy: used)
    // A file with every key may repeat the defaults.
    for key in MixerChoices.settingKeys where isChanged(key) && !read.contains(key) {
      let readers = MixerName.allCases.filter { mixer.keys(readBy: $0).contains(key) }
      let names = readers.map(\.rawValue).joined(separator: " or ")
      add(
        [key], "\(key) has no effect: no layer has \(names)" + gateNote(key),
        "leave it out, or choose a mixer with mixer.kind or mixer.pattern")
    }
  }

  private func gateNote(_ key: String) -> String {
    key == "mixer.gate_bias" && configuration.mixer.gate == .step
      ? ", nor scalar_gate or gated_delta with mixer.gate=sigmoid" : ""
  }

  /// Whether a key's value is not the built-in one.
  func isChanged(_ name: String) -> Bool {
    guard let key = ConfigurationSchema.key(named: name) else { return false }
    var usual = RunConfiguration()
    // Their own defaults follow from other keys.
    usual.model.kvHeads = configuration.model.heads
    usual.model.attentionBias = configuration.model.architecture == .gpt2
    return key.read(configuration) != key.read(usual)
  }
}
