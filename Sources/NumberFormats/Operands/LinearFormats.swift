/// What the operands of a linear layer's three matrix products are rounded to; nil leaves one in single precision.
///
/// With x [tokens, in], w [out, in] and dy [tokens, out]: `y = x w^T` sums over in, `dx = dy w` over out, and
/// `dw = dy^T x` over tokens; blocks lie along those sums, so that an operand is rounded for every product it takes part
/// in, always from its own values.
public struct LinearFormats: Sendable, Hashable {
  /// `x` and `w` of the forward product.
  public var input: OperandFormat?
  public var weight: OperandFormat?
  /// `dy` and `w` of the input's gradient.
  public var inputGradientCotangent: OperandFormat?
  public var inputGradientWeight: OperandFormat?
  /// `dy` and `x` of the weight's gradient.
  public var weightGradientCotangent: OperandFormat?
  public var weightGradientInput: OperandFormat?

  public init() {}

  /// Whether nothing is rounded.
  public var isFull: Bool {
    [
      input, weight, inputGradientCotangent, inputGradientWeight, weightGradientCotangent, weightGradientInput,
    ].allSatisfy { $0 == nil }
  }
}
