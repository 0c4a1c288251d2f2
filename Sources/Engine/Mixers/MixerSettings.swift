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
  /// How tokens decide on decays (`scalar_gate`, `gated_delta`): `step` as in Mamba-2, or `sigmoid`.
  var gate = TokenDecay.Form.step
  /// The same by name; unknown names are refused.
  public var gateName: String {
    get { gate.rawValue }
    set {
      guard let form = TokenDecay.Form(rawValue: newValue) else {
        preconditionFailure("there is no gate '\(newValue)'")
      }
      gate = form
    }
  }
  /// Steps of the delta rule up to 2 instead of 1 (`delta`, `gated_delta`): states can change their sign.
  public var allowsNegativeEigenvalues = false
  /// Heads of linear mixers where they differ from those of attention.
  public var heads: LinearHeads?

  public static let attention = "attention"

  /// Softmax attention in every layer.
  public init(layers: Int) { kinds = [String](repeating: Self.attention, count: max(0, layers)) }
}

/// Heads of linear mixers.
public struct LinearHeads: Sendable, Equatable {
  /// Heads of queries and keys; `heads` is a multiple of it.
  public var keyHeads: Int
  /// Heads of values.
  public var heads: Int
  public var keyWidth: Int
  public var valueWidth: Int

  public init(keyHeads: Int, heads: Int, keyWidth: Int, valueWidth: Int) {
    self.keyHeads = keyHeads
    self.heads = heads
    self.keyWidth = keyWidth
    self.valueWidth = valueWidth
  }
}

extension ModelConfiguration {
  /// What is impossible about the mixers.
  var mixerProblems: [String] {
    var problems: [String] = []
    if mixers.kinds.count != layers { problems.append("\(mixers.kinds.count) mixers for \(layers) layers") }
    let families = Hybrid.modelTypes + Mamba2.modelTypes + OlmoHybrid.modelTypes
    if keepsTokens.contains(false), !families.contains(architecture) {
      problems.append("a \(architecture) has attention in every layer, not \(Set(mixers.kinds).sorted())")
    }
    let known = [MixerSettings.attention, Mamba2.mixer] + LinearMixerCatalogue.all.map { $0.name }
    for name in Set(mixers.kinds).subtracting(known).sorted() {
      problems.append("there is no mixer '\(name)'; known: \(known.joined(separator: ", "))")
    }
    if mixers.convolution != 0, !(2...16).contains(mixers.convolution) {
      problems.append("a convolution of \(mixers.convolution) taps, not 0 or 2 to 16")
    }
    if let heads = mixers.heads {
      let sizes = [heads.keyHeads, heads.heads, heads.keyWidth, heads.valueWidth]
      if sizes.contains(where: { $0 < 1 || $0 > 1 << 20 }) || heads.heads % max(1, heads.keyHeads) != 0 {
        problems.append(
          "\(heads.heads) linear heads over \(heads.keyHeads) of keys, \(heads.keyWidth) and \(heads.valueWidth) wide"
        )
      }
    }
    if !(1...16).contains(mixers.valueExpansion) {
      problems.append("value heads \(mixers.valueExpansion) times as wide, not 1 to 16")
    }
    return problems
  }

  /// Per layer: whether generation needs keys and values of every token.
  var keepsTokens: [Bool] { mixers.kinds.map { $0 == MixerSettings.attention } }
}
