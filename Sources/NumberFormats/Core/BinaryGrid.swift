/// The magnitudes of a small binary format: multiples of one quantum up to `2^(lowest + 1)`, and from there as many
/// values in every binade.
///
/// A magnitude's code is its number in rising order: that is what exponent and mantissa fields say when they are read
/// as one number. Rounding happens once, from the bits of a Float, in integer arithmetic; `kernels/formats.cl` has
/// the same steps for vectors.
public struct BinaryGrid: Sendable, Hashable {
  /// Bits behind the leading one.
  public let mantissaBits: UInt32
  /// The exponent of the smallest normal magnitude, as a Float's exponent field has it (127 is `2^0`).
  public let lowestExponent: UInt32

  /// - Parameters:
  ///   - mantissaBits: 0...22.
  ///   - lowestExponent: From 1 to 254.
  public init(mantissaBits: UInt32, lowestExponent: UInt32) {
    precondition(mantissaBits <= 22 && lowestExponent >= 1 && lowestExponent <= 254)
    self.mantissaBits = mantissaBits
    self.lowestExponent = lowestExponent
  }

  /// The code that a magnitude is rounded to; it may lie above the format's largest.
  ///
  /// - Parameter magnitude: The bits of a Float without its sign; infinity counts as `2^128`.
  @inlinable
  public func code(of magnitude: UInt32, _ rounding: Rounding) -> UInt32 {
    let field = magnitude >> 23
    let own = max(field, 1)
    let exponent = max(own, lowestExponent)
    let mantissa = (magnitude & 0x7F_FFFF) | (field == 0 ? 0 : 0x80_0000)
    // Bits of the mantissa that lie below the quantum.
    let below = 23 &- mantissaBits &+ exponent &- own
    let quanta: UInt32
    switch rounding {
    case .nearestEven:
      // From 25 bits on nothing reaches half a quantum.
      let shift = min(below, 25)
      quanta = (mantissa &+ (1 &<< (shift &- 1)) &- 1 &+ (mantissa &>> shift & 1)) &>> shift
    case .nearestAway:
      let shift = min(below, 25)
      quanta = (mantissa &+ (1 &<< (shift &- 1))) &>> shift
    case .stochastic(let random):
      // 30 random bits at most: what lies below them is cut off.
      let shift = min(below, 30)
      let kept = mantissa &>> min(below &- shift, 31)
      quanta = (kept &+ (random &>> (32 &- shift))) &>> shift
    }
    return quanta &+ (exponent &- lowestExponent) &<< mantissaBits
  }

  /// The magnitude with a code; exact.
  @inlinable
  public func value(of code: UInt32) -> Float {
    let bits = code &<< (23 &- mantissaBits)
    // A Float's own subnormals look like the grid's.
    if lowestExponent == 1 { return Float(bitPattern: bits) }
    if code >= 1 &<< mantissaBits { return Float(bitPattern: bits &+ (lowestExponent &- 1) &<< 23) }
    // Behind a leading one, which is then taken away.
    return Float(bitPattern: bits &+ lowestExponent &<< 23) - Float(bitPattern: lowestExponent &<< 23)
  }
}
