/// Which mixer every layer has, and what the linear ones have in common.
public struct MixerSettings: Sendable, Equatable {
  /// The mixers' names, one per layer: `attention`, or one of ``LinearMixerCatalogue``.
  public var kinds: [String]
  /// Taps of the causal convolution on queries, keys and values; 0 for none.
  public var convolution = 4
  /// Width of a value head over that of a key head.
  public var valueExpansion = 1
  /// A gate on the output, `rms(o) silu(g x)`.
  public var hasOutputGate = true
  /// Features of queries and keys (`linear`).
  public var featureMap = FeatureMap.eluPlusOne
  /// Divides by the features' sum (`linear`).
  public var normalizes = true
  /// Fixed decays (`retention`, `lightning`).
  public var decay = LinearAttentionDecay.retnet
  /// Steps of the delta rule up to 2 instead of 1 (`delta`, `gated_delta`): states can change their sign.
  public var allowsNegativeEigenvalues = false

  public static let attention = "attention"

  /// Softmax attention in every layer.
  public init(layers: Int) { kinds = [String](repeating: Self.attention, count: max(0, layers)) }
}

extension ModelConfiguration {
  /// What is impossible about the mixers.
  var mixerProblems: [String] {
    var problems: [String] = []
    if mixers.kinds.count != layers { problems.append("\(mixers.kinds.count) mixers for \(layers) layers") }
    let known = [MixerSettings.attention] + LinearMixerCatalogue.all.map { $0.name }
    for name in Set(mixers.kinds).subtracting(known).sorted() {
      problems.append("there is no mixer '\(name)'; known: \(known.joined(separator: ", "))")
    }
    if mixers.convolution != 0, !(2...16).contains(mixers.convolution) {
      problems.append("a convolution of \(mixers.convolution) taps, not 0 or 2 to 16")
    }
    if !(1...16).contains(mixers.valueExpansion) {
      problems.append("value heads \(mixers.valueExpansion) times as wide, not 1 to 16")
    }
    return problems
  }

  /// Per layer: whether generation needs keys and values of every token.
  var keepsTokens: [Bool] { mixers.kinds.map { $0 == MixerSettings.attention } }
}
