/// A recurrence between queries, keys and values that a layer can be configured with.
///
/// ``LinearMixer`` makes a layer of it: projections, short convolutions, norm and gate of the output are the same for all.
/// Adding one is one file with a conforming type and one line in ``LinearMixerCatalogue``.
protocol LinearMixerKind {
  /// The name in configurations, for example `gated_delta`.
  static var name: String { get }

  /// The tensors that this kind has besides the common ones.
  static func parameters(_ shape: LinearMixerShape) -> [LinearMixerParameter]

  /// - Parameter named: The layer's parameters by their short names.
  init(_ shape: LinearMixerShape, _ named: (String) throws -> Parameter) throws

  /// Mixes positions.
  ///
  /// - Returns: The output [batch, time, heads, value width] and the state for the next token.
  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, state: Tensor)
}

enum LinearMixerCatalogue {
  static var all: [any LinearMixerKind.Type] {
    [
      LinearAttentionMixer.self, RetentionMixer.self, LightningMixer.self, ScalarGateMixer.self,
      DeltaMixer.self, GatedDeltaMixer.self, GatedLinearMixer.self,
    ]
  }

  static func kind(_ name: String) -> (any LinearMixerKind.Type)? { all.first { $0.name == name } }
}

/// Sizes of one layer.
struct LinearMixerShape {
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
  /// The model's rotation of queries and keys; nil where it has none, and while tensors are only listed.
  let rotation: RotaryPositions?

  init(_ configuration: ModelConfiguration, layer: Int, rotation: RotaryPositions? = nil) {
    modelDimension = configuration.modelDimension
    settings = configuration.mixers
    heads = settings.heads?.heads ?? configuration.heads
    keyHeads = settings.heads?.keyHeads ?? configuration.heads
    keyWidth = settings.heads?.keyWidth ?? configuration.headDimension
    valueWidth = settings.heads?.valueWidth ?? configuration.headDimension * settings.valueExpansion
    self.layer = layer
    layers = configuration.layers
    self.rotation = rotation
  }
}

/// A tensor of a layer under its name below the layer's prefix.
struct LinearMixerParameter {
  let name: String
  let shape: Shape
  let decays: Bool
  /// Nil for normal values of the model's deviation.
  let start: ParameterStart?

  static func matrix(_ name: String, _ out: Int, _ input: Int) -> LinearMixerParameter {
    .init(name: name + ".weight", shape: [out, input], decays: true, start: nil)
  }

  static func vector(_ name: String, _ count: Int, _ start: ParameterStart) -> LinearMixerParameter {
    .init(name: name, shape: [count], decays: false, start: start)
  }
}

/// What a recurrence reads.
struct LinearMixerOperands {
  /// The layer's input [batch, time, model dimension], from which gates are projected.
  let x: Tensor
  /// [batch, time, key heads, key width].
  let query: Tensor
  let key: Tensor
  /// [batch, time, heads, value width].
  let value: Tensor
  /// The state that the last call returned; nil at the start of a sequence.
  let state: Tensor?
  /// Position of the first token.
  let position: Int
  /// int32 [batch, time].
  let documents: Tensor?

  /// `x w^T` as [batch, time, heads].
  func perHead(_ weight: Parameter, _ tape: Tape) -> Tensor { tape.linear(x, weight: tape.parameter(weight)) }
}
