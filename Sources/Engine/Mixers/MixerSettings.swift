/// Which mixer every layer has, and what the linear ones have in common.
public struct MixerSettings: Sendable, Equatable {
  /// The mixers' names, one per layer: `attention`, `sliding` (the same over a window), or one of ``MixerCatalogue``.
  public var kinds: [String]
  /// Taps of the causal convolution on queries, keys and values; 0 for none.
  public var convolution = 4
  /// Width of a value head over that of a key head.
  public var valueExpansion = 1
  /// Rows of a head's state (`mamba2`), numbers of a channel's (`s4d`).
  public var stateSize = 64
  /// A gate on the output, `rms(o) silu(g x)`.
  public var hasOutputGate = true
  /// Features of queries and keys (`linear`, `norm_attention`).
  public var featureMap = FeatureMap.eluPlusOne
  /// Divides by the features' sum (`linear`).
  public var normalizes = true
  /// Spelling of the learned features (`hedgehog`).
  public var hedgehog = HedgehogFeatures.Kind.softmaxHalves
  /// Tokens of a block (`diag_attention`).
  public var block = 64
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
  /// Where biases of gates start (`gated_linear`; `scalar_gate` and `gated_delta` with a sigmoid).
  public var gateBias = 0.0
  /// Steps of the delta rule up to 2 instead of 1 (`delta`, `gated_delta`): states can change their sign.
  public var allowsNegativeEigenvalues = false
  /// Heads of linear mixers where they differ from those of attention.
  public var heads: LinearHeads?

  public static let attention = "attention"
  public static let sliding = "sliding"

  /// The window of every layer: where some layers are sliding ones the others see everything.
  public func windows(of window: Int?) -> [Int?] {
    let hasSliding = kinds.contains(Self.sliding)
    return kinds.map { !hasSliding || $0 == Self.sliding ? window : nil }
  }

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
    let others = Set(mixers.kinds).subtracting([MixerSettings.attention]).sorted()
    if !others.isEmpty, !families.contains(architecture) {
      problems.append("a \(architecture) has attention in every layer, not \(others)")
    }
    let known = [MixerSettings.attention, MixerSettings.sliding] + MixerCatalogue.all.map { $0.name }
    for name in others where !known.contains(name) {
      problems.append("there is no mixer '\(name)'; known: \(known.joined(separator: ", "))")
    }
    if zip(mixers.kinds, windows).contains(where: { $0 == MixerSettings.sliding && $1 == nil }) {
      problems.append("a sliding layer has no window")
    }
    if !(1...1 << 20).contains(mixers.block) {
      problems.append("blocks of \(mixers.block) tokens, not 1 to \(1 << 20)")
    }
    if mixers.convolution != 0, !(2...16).contains(mixers.convolution) {
      problems.append("a convolution of \(mixers.convolution) taps, not 0 or 2 to 16")
    }
    if let heads = mixers.heads {
      let sizes = [heads.keyHeads, heads.heads, heads.keyWidth, heads.valueWidth]
      if sizes.contains(where: { $0 < 1 || $0 > 1 << 12 }) || heads.heads % max(1, heads.keyHeads) != 0 {
        problems.append(
          "\(heads.heads) linear heads over \(heads.keyHeads) of keys, \(heads.keyWidth) and \(heads.valueWidth) wide"
        )
      }
    }
    if !(1...16).contains(mixers.valueExpansion) {
      problems.append("value heads \(mixers.valueExpansion) times as wide, not 1 to 16")
    }
    if !(1...1024).contains(mixers.stateSize) {
      problems.append("states of \(mixers.stateSize) rows, not 1 to 1024")
    }
    // Of sizes that are possible at all.
    guard problems.isEmpty, (1...1 << 16).contains(headDimension), (1...1 << 16).contains(heads) else {
      return problems
    }
    for name in others {
      guard let layer = mixers.kinds.firstIndex(of: name) else { continue }
      problems += MixerCatalogue.mixer(name)?.problems(MixerShape(self, layer: layer)) ?? []
    }
    return problems
  }

  /// Whether generation keeps something of every token in some layer.
  public var keepsTokens: Bool { cachedRows.contains { $0 != nil && $0?.window == nil } }

  /// Per layer: what generation keeps of tokens; nil for states of a constant size.
  var cachedRows: [CachedRows?] {
    mixers.kinds.enumerated().map { layer, name in
      guard let mixer = MixerCatalogue.mixer(name) else {
        return CachedRows(
          keyHeads: keyValueHeads, keyWidth: headDimension, valueHeads: keyValueHeads,
          valueWidth: headDimension, window: windows[layer])
      }
      return mixer.cachedRows(MixerShape(self, layer: layer))
    }
  }
}
