/// Linear attention without a gate, with a feature map and on demand a denominator.
///
/// - SeeAlso: Katharopoulos et al., "Transformers are RNNs", 2020.
struct LinearAttentionMixer: LinearMixerKind {
  static let name = "linear"
  private let options: LinearAttentionOptions

  static func problems(_ shape: MixerShape) -> [String] {
    // The denominator is one more column of values.
    let most = RecurrenceExtents.largestWidth
    var problems = shape.problems(
      of: name, keys: most, values: shape.settings.normalizes ? most - 1 : most)
    if shape.settings.normalizes, !shape.settings.featureMap.isPositive {
      problems.append(
        "\(shape.settings.featureMap.rawValue) features can be negative: they have no denominator")
    }
    return problems
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    let settings = shape.settings
    // A denominator takes every scale away but its epsilon's.
    options = LinearAttentionOptions(
      settings.featureMap, normalizes: settings.normalizes,
      scale: settings.normalizes ? 1 : 1 / Float(shape.keyWidth).squareRoot(), epsilon: 1e-6)
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    let result = tape.linearAttention(
      query: operands.query, key: operands.key, value: operands.value, options: options,
      initialState: operands.state, documents: operands.documents)
    return (result.output, [result.finalState])
  }
}
