/// Rotary positions of a model: what its config.json says.
public struct RotarySettings: Sendable, Hashable {
  public var theta: Double
  /// How many values of a head turn.
  public var rotaryDimensions: Int
  public var scaling: RotaryScaling
  /// Multiplies cosines and sines; nil takes what the scaling says.
  public var attentionFactor: Double?

  public init(
    theta: Double, rotaryDimensions: Int, scaling: RotaryScaling = .none, attentionFactor: Double? = nil
  ) {
    self.theta = theta
    self.rotaryDimensions = rotaryDimensions
    self.scaling = scaling
    self.attentionFactor = attentionFactor
  }
}
