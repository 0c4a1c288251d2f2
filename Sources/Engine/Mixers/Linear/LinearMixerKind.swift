/// A form of attention between queries, keys and values that ``LinearMixer`` makes a layer of.
///
/// Projections, short convolutions, norm and gate of the output are the same for all.
protocol LinearMixerKind {
  /// The name in configurations, for example `gated_delta`.
  static var name: String { get }

  /// The tensors that this kind has besides the common ones.
  static func parameters(_ shape: MixerShape) -> [MixerParameter]

  /// What makes a layer of these sizes impossible, each in one sentence.
  static func problems(_ shape: MixerShape) -> [String]

  /// The rows that generation keeps of every token; nil where states have a constant size.
  static func cachedRows(_ shape: MixerShape) -> CachedRows?

  /// - Parameter named: The layer's parameters by their short names.
  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws

  /// Mixes positions.
  ///
  /// - Returns: The output [batch, time, heads, value width] and the states for the next token.
  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor])
}

extension LinearMixerKind {
  static func parameters(_ shape: MixerShape) -> [MixerParameter] { [] }
  static func cachedRows(_ shape: MixerShape) -> CachedRows? { nil }

  /// Widths that the recurrences take.
  static func problems(_ shape: MixerShape) -> [String] {
    shape.problems(of: name, keys: RecurrenceExtents.largestWidth, values: RecurrenceExtents.largestWidth)
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
  /// The states that the last call returned; empty at the start of a sequence.
  let states: [Tensor]
  /// Position of the first token.
  let position: Int
  /// int32 [batch, time].
  let documents: Tensor?
  /// Where generation keeps rows of every token; nil when the whole sequence is given.
  let cache: DecodingCache?
  let layer: Int

  /// The state of a kind that has one.
  var state: Tensor? { states.first }

  /// `x w^T` as [batch, time, heads].
  func perHead(_ weight: Parameter, _ tape: Tape) -> Tensor { tape.linear(x, weight: tape.parameter(weight)) }
}
