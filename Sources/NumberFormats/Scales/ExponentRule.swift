/// How a block's largest magnitude chooses a scale that is a power of two (OCP Microscaling Formats 1.0, section 6.3,
/// and its variants in use).
///
/// Every rule is one addition to the magnitude's bits before its exponent is read, so no logarithm is needed.
public enum ExponentRule: String, Sendable, Hashable, CaseIterable {
  /// `floor(log2 amax) - emax`: the specification's. What is above the largest element value saturates.
  case floor
  /// `ceil(log2 amax) - emax`: nothing saturates, up to one bit is unused.
  case ceil
  /// `ceil(log2(amax / largest))`: the smallest power with which nothing saturates.
  case rceil
  /// As `floor`, of a magnitude that is first rounded to the element's mantissa.
  case even

  /// What is added to a magnitude's bits.
  public func addend(for element: ElementFormat) -> UInt32 {
    switch self {
    case .floor: 0
    case .ceil: 0x7F_FFFF
    // Carries when the mantissa is above the largest value's.
    case .rceil: 0x7F_FFFF - (element.ends.positive.bitPattern & 0x7F_FFFF)
    case .even: 1 << (22 - element.grid.mantissaBits)
    }
  }

  /// The exponent for a block, -127...127; that of a block of zeros is -127.
  ///
  /// - Parameter magnitude: The bits of the block's largest magnitude, finite.
  public func exponent(of magnitude: UInt32, for element: ElementFormat) -> Int {
    let field = Int((magnitude + addend(for: element)) >> 23)
    return min(max(field - 127 - element.largestExponent, -127), 127)
  }
}
