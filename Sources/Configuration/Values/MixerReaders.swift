extension MixerChoices {
  /// The keys that not every mixer reads, `mixer.kind` and `mixer.pattern` left out.
  public static let settingKeys =
    modelKeys + [
      "mixer.convolution", "mixer.value_expansion", "mixer.state_size", "mixer.output_gate",
      "mixer.feature_map", "mixer.normalize", "mixer.hedgehog", "mixer.block", "mixer.decay", "mixer.gate",
      "mixer.gate_bias", "mixer.negative_eigenvalues",
    ]

  private static let modelKeys = ["model.kv_heads", "model.attention_bias", "model.window"]

  /// Which of ``settingKeys`` a mixer reads.
  public func keys(readBy mixer: MixerName) -> Set<String> {
    let shared: Set = ["mixer.convolution", "mixer.value_expansion", "mixer.output_gate"]
    let scalarGate: Set = gate == .sigmoid ? ["mixer.gate", "mixer.gate_bias"] : ["mixer.gate"]
    switch mixer {
    case .attention, .sliding: return Set(Self.modelKeys)
    case .softmax: return shared.union(["model.window"])
    case .linear: return shared.union(["mixer.feature_map", "mixer.normalize"])
    case .normAttention: return shared.union(["mixer.feature_map"])
    case .diagAttention: return shared.union(["mixer.block"])
    case .flow: return shared
    case .hedgehog: return shared.union(["mixer.hedgehog"])
    case .retention, .lightning: return shared.union(["mixer.decay"])
    case .scalarGate: return shared.union(scalarGate)
    case .gatedLinear: return shared.union(["mixer.gate_bias"])
    case .delta: return shared.union(["mixer.negative_eigenvalues"])
    case .gatedDelta: return shared.union(scalarGate).union(["mixer.negative_eigenvalues"])
    case .rwkv7: return []
    case .mamba2: return ["mixer.convolution", "mixer.value_expansion", "mixer.state_size"]
    case .s4d: return ["mixer.state_size"]
    }
  }

  /// Which of ``settingKeys`` some of the mixers read.
  public func keys(readBy mixers: some Sequence<String>) -> Set<String> {
    mixers.reduce(into: []) { keys, name in
      keys.formUnion(MixerName(rawValue: name).map { self.keys(readBy: $0) } ?? [])
    }
  }
}
