/// Where the largest magnitude comes from that a tensor's scale is made of.
public enum TensorMaximum: Sendable, Hashable {
  /// The tensor itself: one more pass over it.
  case current
  /// The steps before: the largest of `history` of them, with `margin` powers of two left free above it
  /// (``DelayedScaling``).
  case delayed(history: Int, margin: Int)
  /// The tensor itself in every `steps`-th step, kept in between.
  case refreshed(steps: Int)
}

extension BlockFormat {
  /// Whether scales depend on the largest magnitude of the whole tensor.
  public var hasTensorScale: Bool { tensorTarget != nil || (tile == .wholeMatrix && scaling != .none) }

  /// The largest magnitude for which a tensor's scale is 1.
  public var unscaledMaximum: Float { (tensorTarget ?? 1) * element.scaleDivisor }
}
