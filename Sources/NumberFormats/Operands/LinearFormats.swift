/// What an operand of a backward product is rounded to.
public enum BackwardOperandFormat: Sendable, Hashable {
  /// It stays in single precision.
  case full
  /// It is the forward product's operand, as that was rounded.
  case forward
  /// It is rounded anew, along its own product's sum.
  case rounded(OperandFormat)

  /// The format of an operand that is rounded anew.
  public var rounded: OperandFormat? {
    if case .rounded(let format) = self { return format }
    return nil
  }
}

/// What the operands of a linear layer's three matrix products are rounded to; nil leaves one in single precision.
///
/// With x [tokens, in], w [out, in] and dy [tokens, out]: `y = x w^T` sums over in, `dx = dy w` over out, and
/// `dw = dy^T x` over tokens; blocks lie along those sums, so that an operand is rounded for every product it takes part
/// in, always from its own values. Quantization-aware training differentiates the rounded forward instead, with both
/// operands of the backward products as the forward had them.
public struct LinearFormats: Sendable, Hashable {
  /// `x` of the forward product.
  public var fpropInput: OperandFormat?
  /// `w` of the forward product.
  public var fpropWeight: OperandFormat?
  /// `dy` of the input's gradient.
  public var dgradCotangent: OperandFormat?
  /// `w` of the input's gradient.
  public var dgradWeight = BackwardOperandFormat.full
  /// `dy` of the weight's gradient.
  public var wgradCotangent: OperandFormat?
  /// `x` of the weight's gradient.
  public var wgradInput = BackwardOperandFormat.full

  public init() {}

  /// Whether nothing is rounded.
  public var isFull: Bool {
    fpropInput == nil && fpropWeight == nil && dgradCotangent == nil && wgradCotangent == nil
      && dgradWeight == .full && wgradInput == .full
  }
}
