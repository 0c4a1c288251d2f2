/// A mixer that a layer of ``Hybrid`` can be configured with.
///
/// Adding one is one file with a conforming type and one line in ``MixerCatalogue``. What shares projections, convolutions,
/// norm and gate with others is a ``LinearMixerKind`` instead, of which ``LinearMixer`` makes a layer.
protocol CatalogueMixer: Mixer {
  /// The name in configurations, for example `gated_delta`.
  static var name: String { get }

  /// All tensors of a layer, in file order.
  static func parameters(_ shape: MixerShape) -> [MixerParameter]

  /// What makes a layer of these sizes impossible, each in one sentence.
  static func problems(_ shape: MixerShape) -> [String]

  /// The rows that generation keeps of every token; nil for a mixer whose states have a constant size.
  static func cachedRows(_ shape: MixerShape) -> CachedRows?

  /// - Parameter named: The layer's parameters by their names below its prefix.
  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws
}

extension CatalogueMixer {
  static func problems(_ shape: MixerShape) -> [String] { [] }
  static func cachedRows(_ shape: MixerShape) -> CachedRows? { nil }
}

/// All mixers but Llama's own attention, whose tensors are Llama's.
enum MixerCatalogue {
  static var all: [any CatalogueMixer.Type] {
    [
      LinearMixer<LinearAttentionMixer>.self, LinearMixer<RetentionMixer>.self,
      LinearMixer<LightningMixer>.self, LinearMixer<ScalarGateMixer>.self, LinearMixer<DeltaMixer>.self,
      LinearMixer<GatedDeltaMixer>.self, LinearMixer<GatedLinearMixer>.self, LinearMixer<FlowMixer>.self,
      LinearMixer<HedgehogMixer>.self, LinearMixer<NormAttentionMixer>.self,
      LinearMixer<DiagAttentionMixer>.self, LinearMixer<SoftmaxMixer>.self, Mamba2Mixer.self,
      RWKV7Mixer.self, S4DMixer.self,
    ]
  }

  static func mixer(_ name: String) -> (any CatalogueMixer.Type)? { all.first { $0.name == name } }
}

/// Keys and values of one token in a ``DecodingCache``.
struct CachedRows: Hashable {
  let keyHeads: Int
  let keyWidth: Int
  let valueHeads: Int
  let valueWidth: Int
  /// Tokens that a query sees, itself included; nil sees all.
  let window: Int?
}

/// Sizes of one layer.
struct MixerShape {
  let modelDimension: Int
  /// Heads of values.
  let heads: Int
  /// Heads of queries and keys; `heads` is a multiple of it.
  let keyHeads: Int
  let keyWidth: Int
  let valueWidth: Int
  let layer: Int
  let layers: Int
  let settings: MixerSettings
  let stateSpace: StateSpaceSettings
  /// Keys that a query sees, itself included; nil sees all.
  let window: Int?
  /// The model's rotation of queries and keys; nil where it has none, and while tensors are only listed.
  let rotation: RotaryPositions?
  /// Of the layer's own norms.
  var normEpsilon: Double

  init(_ configuration: ModelConfiguration, layer: Int, rotation: RotaryPositions? = nil) {
    modelDimension = configuration.modelDimension
    settings = configuration.mixers
    heads = settings.heads?.heads ?? configuration.heads
    keyHeads = settings.heads?.keyHeads ?? configuration.heads
    keyWidth = settings.heads?.keyWidth ?? configuration.headDimension
    valueWidth = settings.heads?.valueWidth ?? configuration.headDimension * settings.valueExpansion
    stateSpace =
      configuration.stateSpace
      ?? StateSpaceSettings(stateSize: settings.stateSize, groups: 1, convolution: settings.convolution)
    window = configuration.windows.indices.contains(layer) ? configuration.windows[layer] : nil
    self.layer = layer
    layers = configuration.layers
    self.rotation = rotation
    normEpsilon = configuration.normEpsilon
  }

  /// Complains about heads that are wider than a mixer takes.
  func problems(of name: String, keys: Int, values: Int) -> [String] {
    [("keys", keyWidth, keys), ("values", valueWidth, values)].compactMap { what, width, most in
      width <= most ? nil : "\(name) takes heads of \(what) at most \(most) wide, not \(width)"
    }
  }
}

/// A tensor of a layer under its name below the layer's prefix.
struct MixerParameter {
  let name: String
  let shape: Shape
  let decays: Bool
  /// Nil for normal values of the model's deviation.
  let start: ParameterStart?

  static func matrix(_ name: String, _ out: Int, _ input: Int) -> MixerParameter {
    .init(name: name + ".weight", shape: [out, input], decays: true, start: nil)
  }

  static func vector(_ name: String, _ count: Int, _ start: ParameterStart) -> MixerParameter {
    .init(name: name, shape: [count], decays: false, start: start)
  }

  /// Taps of a depthwise convolution.
  static func convolution(_ name: String, channels: Int, taps: Int) -> MixerParameter {
    .init(
      name: name + ".weight", shape: [channels, 1, taps], decays: false, start: .convolution(taps: taps))
  }
}
