/// Hedgehog: normalized linear attention with features that are learned, one map per head for queries and one for keys.
///
/// The maps start as the identity; tensors `feature_map_q.weight`, `feature_map_k.weight` [heads, width, width] and their
/// `.bias` [heads, width].
///
/// - SeeAlso: Zhang et al., "The Hedgehog & the Porcupine: Expressive Linear Attentions with Softmax Mimicry", 2024.
struct HedgehogMixer: LinearMixerKind {
  static let name = "hedgehog"
  private static let epsilon = 1e-12
  private let features: HedgehogFeatures.Kind
  private let queryMap: Map
  private let keyMap: Map

  private struct Map {
    let weight: Parameter
    let bias: Parameter

    func callAsFunction(_ x: Tensor, _ kind: HedgehogFeatures.Kind, _ tape: Tape) -> Tensor {
      tape.hedgehogFeatureMap(
        x, weight: tape.parameter(weight), bias: tape.parameter(bias), kind: kind)
    }
  }

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let width = shape.keyWidth
    return ["feature_map_q", "feature_map_k"].flatMap { name in
      [
        // Decay would pull the map from the identity to 0.
        MixerParameter(
          name: name + ".weight", shape: [shape.keyHeads, width, width], decays: false,
          start: .identities(width: width)),
        MixerParameter(
          name: name + ".bias", shape: [shape.keyHeads, width], decays: false, start: .constant(0)),
      ]
    }
  }

  static func problems(_ shape: MixerShape) -> [String] {
    // Features are twice as wide, and the denominator is one more column of values.
    let most = RecurrenceExtents.largestWidth
    return shape.problems(of: name, keys: most / 2, values: most - 1)
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    features = shape.settings.hedgehog
    queryMap = Map(weight: try named("feature_map_q.weight"), bias: try named("feature_map_q.bias"))
    keyMap = Map(weight: try named("feature_map_k.weight"), bias: try named("feature_map_k.bias"))
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    let result = tape.linearAttention(
      query: queryMap(operands.query, features, tape), key: keyMap(operands.key, features, tape),
      value: operands.value,
      options: LinearAttentionOptions(.identity, normalizes: true, epsilon: Self.epsilon),
      initialState: operands.state, documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
