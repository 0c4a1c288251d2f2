extension ConfigurationSchema {
  static let mixerKeys = [
    ConfigurationKey("mixer.kind", \.mixer.kind, "What every layer mixes positions with."),
    ConfigurationKey(
      "mixer.pattern", \.mixer.pattern,
      "Mixers in turns over the layers, such as [gated_delta, gated_delta, attention]; instead of mixer.kind."
    ),
    ConfigurationKey(
      "mixer.convolution", \.mixer.convolution, unit: "taps", range: .within(0, 16),
      "Short causal convolution on queries, keys and values, 0 for none (not attention, sliding, rwkv7, s4d)."
    ),
    ConfigurationKey(
      "mixer.value_expansion", \.mixer.valueExpansion, range: .within(1, 16),
      "Width of a value head over that of a key head (not attention, sliding, rwkv7, s4d)."),
    ConfigurationKey(
      "mixer.state_size", \.mixer.stateSize, range: .within(1, 1024),
      "Rows of a head's state (mamba2), numbers of a channel's (s4d)."),
    ConfigurationKey(
      "mixer.output_gate", \.mixer.outputGate,
      "Whether outputs are gated, rms(o) silu(g x) (not attention, sliding, rwkv7, mamba2, s4d)."),
    ConfigurationKey(
      "mixer.feature_map", \.mixer.featureMap, "Features of queries and keys (linear, norm_attention)."),
    ConfigurationKey("mixer.normalize", \.mixer.normalize, "Whether outputs have a denominator (linear)."),
    ConfigurationKey(
      "mixer.hedgehog", \.mixer.hedgehog, "Spelling of the learned features (hedgehog)."),
    ConfigurationKey(
      "mixer.block", \.mixer.block, unit: "tokens", range: .within(1, 1_048_576),
      "Tokens of a block (diag_attention)."),
    ConfigurationKey("mixer.decay", \.mixer.decay, "The table of fixed decays (retention, lightning)."),
    ConfigurationKey(
      "mixer.gate", \.mixer.gate,
      "How tokens decide on decays: in steps as Mamba-2, or by a sigmoid (scalar_gate, gated_delta)."
    ),
    ConfigurationKey(
      "mixer.gate_bias", \.mixer.gateBias, range: .within(-100, 100),
      derived: "4 for gate sigmoid in scalar_gate and gated_delta, else 0",
      "Where the biases of gates start (gated_linear; scalar_gate, gated_delta with gate sigmoid)."),
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
extension HedgehogName: ConfigurationChoice {}
