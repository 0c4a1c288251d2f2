/// Softmax attention in the layer of the linear mixers: with their short convolutions, norm per head and gate.
///
/// What it keeps of every token makes it no linear mixer; it is the one to compare them with. Queries and keys are rotated
/// where the model rotates.
struct SoftmaxMixer: LinearMixerKind {
  static let name = "softmax"
  private let options: AttentionOptions
  private let rotation: RotaryPositions?

  static func cachedRows(_ shape: MixerShape) -> CachedRows? {
    CachedRows(
      keyHeads: shape.keyHeads, keyWidth: shape.keyWidth, valueHeads: shape.heads,
      valueWidth: shape.valueWidth, window: shape.window)
  }

  static func problems(_ shape: MixerShape) -> [String] {
    shape.problems(
      of: name, keys: AttentionOptions.largestWidth, values: AttentionOptions.largestWidth)
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    // A window of W keys includes the query's own position.
    options = AttentionOptions(
      scale: 1 / Float(shape.keyWidth).squareRoot(), isCausal: true, windowLeft: shape.window.map { $0 - 1 })
    rotation = shape.rotation
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    func turned(_ x: Tensor) -> Tensor { rotation?.rotate(x, from: operands.position, tape) ?? x }
    var (key, value) = (turned(operands.key), operands.value)
    if let cache = operands.cache {
      (key, value) = cache.append(key: key, value: value, layer: operands.layer, tape)
    }
    let output = tape.attention(
      query: turned(operands.query), key: key, value: value, options: options, documents: operands.documents)
    return (output, [])
  }
}
