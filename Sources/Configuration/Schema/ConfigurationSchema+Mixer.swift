extension ConfigurationSchema {
  static let mixerKeys = [
    ConfigurationKey("mixer.kind", \.mixer.kind, "What every layer mixes positions with."),
    ConfigurationKey(
      "mixer.pattern", \.mixer.pattern,
      "Mixers in turns over the layers, such as [gated_delta, gated_delta, attention]; instead of mixer.kind."
    ),
    ConfigurationKey(
      "mixer.convolution", \.mixer.convolution, unit: "taps", range: .within(0, 16),
      "Short causal convolution on queries, keys and values of linear mixers, 0 for none."),
    ConfigurationKey(
      "mixer.value_expansion", \.mixer.valueExpansion, range: .within(1, 16),
      "Width of a value head over that of a key head in linear mixers."),
    ConfigurationKey(
      "mixer.output_gate", \.mixer.outputGate, "Whether linear mixers gate their output, rms(o) silu(g x)."),
    ConfigurationKey("mixer.feature_map", \.mixer.featureMap, "Features of queries and keys (linear)."),
    ConfigurationKey("mixer.normalize", \.mixer.normalize, "Whether outputs have a denominator (linear)."),
    ConfigurationKey("mixer.decay", \.mixer.decay, "The table of fixed decays (retention, lightning)."),
    ConfigurationKey(
      "mixer.gate", \.mixer.gate,
      "How tokens decide on decays: in steps as Mamba-2, or by a sigmoid that starts near 1 (scalar_gate, gated_delta)."
    ),
    ConfigurationKey(
      "mixer.negative_eigenvalues", \.mixer.negativeEigenvalues,
      "Whether steps of the delta rule reach 2 instead of 1, so that states can change their sign (delta, gated_delta)."
    ),
  ]
}

extension MixerName: ConfigurationChoice {}
extension FeatureMapName: ConfigurationChoice {}
extension GateName: ConfigurationChoice {}
extension DecayName: ConfigurationChoice {}
