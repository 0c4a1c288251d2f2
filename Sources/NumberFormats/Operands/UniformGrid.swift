/// Equally spaced levels under a scale: `value = (code + offset) scale`.
public struct UniformGrid: Sendable, Hashable {
  public let smallest: Int32
  public let largest: Int32
  /// 0 has a level at zero, 1/2 has the same number of levels on both sides of it (mid-rise).
  public let offset: Float

  /// All codes of two's complement: `-2^(b-1)...2^(b-1)-1`.
  public static func signed(bits: Int) -> UniformGrid {
    UniformGrid(smallest: -(1 << (bits - 1)), largest: 1 << (bits - 1) - 1, offset: 0)
  }

  /// `0...2^b-1`, for what is never negative.
  public static func unsigned(bits: Int) -> UniformGrid {
    UniformGrid(smallest: 0, largest: 1 << bits - 1, offset: 0)
  }

  /// The codes of ``signed(bits:)``, levels half a step above them.
  public static func midRise(bits: Int) -> UniformGrid {
    UniformGrid(smallest: -(1 << (bits - 1)), largest: 1 << (bits - 1) - 1, offset: 0.5)
  }

  /// Scales are held above this, so that no weight is divided by zero.
  public static let smallestScale: Float = 1e-5

  /// What a stored scale is taken for.
  public static func held(_ scale: Float) -> Float { scale < smallestScale ? smallestScale : scale }

  /// A number in units of the scale, where codes are whole numbers.
  ///
  /// One product, so that every device has the same bits.
  ///
  /// - Parameter scale: As ``held(_:)`` gives it.
  public func position(of x: Float, scale: Float) -> Float { x * (1 / scale) - offset }

  /// The nearest code, of halves the even one; NaN stays.
  public func code(at position: Float) -> Float {
    let low = Float(smallest) > position ? Float(smallest) : position
    let held = Float(largest) < low ? Float(largest) : low
    // Adding 1.5 x 2^23 leaves no room for a fraction.
    return (held + 12_582_912) - 12_582_912
  }

  public func value(of code: Float, scale: Float) -> Float { (code + offset) * scale }

  /// Whether a step of `radius` can change the code: a threshold between two codes is that near.
  public func isNearThreshold(_ position: Float, radius: Float) -> Bool {
    let below = position.rounded(.down)
    return below >= Float(smallest) && below < Float(largest) && abs((position - below) - 0.5) <= radius
  }
}
