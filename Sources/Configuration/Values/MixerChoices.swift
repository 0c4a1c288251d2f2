/// What a layer mixes positions with.
public enum MixerName: String, Sendable, CaseIterable {
  /// Softmax attention.
  case attention
  /// Softmax attention over `model.window`, where other layers have attention over everything.
  case sliding
  /// Softmax attention with the convolutions, norm and gate of linear mixers.
  case softmax
  /// Linear attention with a feature map.
  case linear
  /// Linear attention whose denominator is left to the norm.
  case normAttention = "norm_attention"
  /// Softmax attention inside blocks.
  case diagAttention = "diag_attention"
  /// Flow-Attention.
  case flow
  /// Linear attention with learned features.
  case hedgehog
  /// A fixed decay per head.
  case retention
  /// A fixed decay per head, silu features.
  case lightning
  /// A decay per head and token.
  case scalarGate = "scalar_gate"
  /// A decay per head, key channel and token.
  case gatedLinear = "gated_linear"
  /// The delta rule.
  case delta
  /// The delta rule with a decay.
  case gatedDelta = "gated_delta"
  /// RWKV-7's layer.
  case rwkv7
  /// Mamba-2's layer.
  case mamba2
  /// A diagonal state space per channel.
  case s4d
}

/// Features of linear attention.
public enum FeatureMapName: String, Sendable, CaseIterable {
  case identity
  case eluPlusOne = "elu_plus_one"
  case relu
  case silu
  case softmax
}

/// A spelling of Hedgehog's features.
public enum HedgehogName: String, Sendable, CaseIterable {
  case exp
  case expShifted = "exp_shifted"
  case softmaxHalves = "softmax_halves"
  case softmaxJoint = "softmax_joint"
}

/// A table of fixed decays.
public enum DecayName: String, Sendable, CaseIterable {
  case retnet
  case lightningPaper = "lightning_paper"
  case lightningReleased = "lightning_released"
  case minimax
}

/// How tokens decide on decays.
public enum GateName: String, Sendable, CaseIterable {
  case step
  case sigmoid
}

/// The mixers of the layers and what the linear ones have in common.
public struct MixerChoices: Sendable, Equatable {
  /// The mixer of every layer.
  public var kind = MixerName.attention
  /// Mixers in turns over the layers; empty for one kind.
  public var pattern: [String] = []
  /// Taps of the convolution on queries, keys and values; 0 for none.
  public var convolution = 4
  /// Width of value heads over that of key heads.
  public var valueExpansion = 1
  /// Rows of a head's state in `mamba2`, numbers of a channel's in `s4d`.
  public var stateSize = 64
  /// A gate on the output.
  public var outputGate = true
  /// Features of `linear` and `norm_attention`.
  public var featureMap = FeatureMapName.eluPlusOne
  /// A denominator in `linear`.
  public var normalize = true
  /// Learned features of `hedgehog`.
  public var hedgehog = HedgehogName.softmaxHalves
  /// Tokens of a block in `diag_attention`.
  public var block = 64
  /// Decays of `retention` and `lightning`.
  public var decay = DecayName.retnet
  /// Decays of `scalar_gate` and `gated_delta`.
  public var gate = GateName.step
  /// Where biases of gates start.
  public var gateBias = 0.0
  /// Steps up to 2 in `delta` and `gated_delta`.
  public var negativeEigenvalues = false

  /// The defaults.
  public init() {}

  /// The mixer's name per layer; unknown names as they are.
  public func names(layers: Int) -> [String] {
    let turns = pattern.isEmpty ? [kind.rawValue] : pattern
    return (0..<max(0, layers)).map { turns[$0 % turns.count] }
  }
}
