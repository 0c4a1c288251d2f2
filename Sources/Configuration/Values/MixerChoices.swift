/// What a layer mixes positions with.
public enum MixerName: String, Sendable, CaseIterable {
  /// Softmax attention.
  case attention
  /// Linear attention with a feature map.
  case linear
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
}

/// Features of linear attention.
public enum FeatureMapName: String, Sendable, CaseIterable {
  case identity
  case eluPlusOne = "elu_plus_one"
  case relu
  case silu
  case softmax
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
  /// A gate on the output.
  public var outputGate = true
  /// Features of `linear`.
  public var featureMap = FeatureMapName.eluPlusOne
  /// A denominator in `linear`.
  public var normalize = true
  /// Decays of `retention` and `lightning`.
  public var decay = DecayName.retnet
  /// Decays of `scalar_gate` and `gated_delta`.
  public var gate = GateName.step
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
