/// What takes the place of a rounding's derivative, which is zero almost everywhere.
public enum GradientEstimator: String, Sendable, Hashable, CaseIterable {
  /// 1 everywhere (Bengio et al., 2013).
  case straightThrough = "straight_through"
  /// 1 within the format, 0 where numbers saturate.
  case clipped
  /// The slope of a power function between two neighbours, 0 where numbers saturate (Wang et al., "Optimizing Large
  /// Language Model Training Using FP4 Quantization", 2025).
  case differentiable
  /// The same, and the derivative of the block's scale, which follows the largest magnitude.
  case full

  /// The root of the power function.
  public static let root = 5
  /// Slopes are held at this.
  public static let largestSlope = 3.0
}
