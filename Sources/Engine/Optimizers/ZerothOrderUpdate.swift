/// One update of quantization scales from two losses, without a gradient: QZO.
///
/// The weights are codes times scales; the scales are moved along a random direction and back, and the clipped slope
/// between says how far they go along it.
///
/// - SeeAlso: "Fine-tuning Quantized Neural Networks with Zeroth-order Optimization", 2025.
public struct ZerothOrderUpdate: Sendable, Equatable {
  /// How far the scales were moved each way.
  public var epsilon: Double
  /// The slope is within plus and minus this.
  public var clip: Double
  public var learningRate: Double
  public var minimumScale: Double

  public init(
    epsilon: Double = 1e-3, clip: Double = 100, learningRate: Double = 1e-6, minimumScale: Double = 1e-7,
  ) {
    self.epsilon = epsilon
    self.clip = clip
    self.learningRate = learningRate
    self.minimumScale = minimumScale
  }

  /// The clipped slope of the loss along the direction.
  ///
  /// - Parameters:
  ///   - lossPlus: With `scales + epsilon direction`.
  ///   - lossMinus: With `scales - epsilon direction`.
  public func slope(lossPlus: Double, lossMinus: Double) -> Double {
    min(clip, max(-clip, (lossPlus - lossMinus) / (2 * epsilon)))
  }

  /// `max(scale - learningRate slope z, minimumScale)`.
  public func callAsFunction(_ scales: [Float], direction: [Float], slope: Double) -> [Float] {
    zip(scales, direction).map { scale, z in
      Float(max(Double(scale) - learningRate * slope * Double(z), minimumScale))
    }
  }
}
