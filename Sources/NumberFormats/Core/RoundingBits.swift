/// Random bits for stochastic rounding: a pure function of (seed, step, tensor, element), in 32-bit integer arithmetic
/// that every device does alike (`kernels/formats.cl`).
public struct RoundingBits: Sendable, Hashable {
  public let first: UInt32
  public let second: UInt32

  /// - Parameters:
  ///   - seed: The run's.
  ///   - step: Of training; the same tensor is rounded anew in each.
  ///   - tensor: Which of the step's roundings it is.
  public init(seed: UInt64, step: UInt64 = 0, tensor: UInt64 = 0) {
    let key = Self.mixed(Self.mixed(Self.mixed(seed) &+ step) &+ tensor)
    first = UInt32(truncatingIfNeeded: key)
    second = UInt32(truncatingIfNeeded: key >> 32)
  }

  /// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) behind its increment.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 32 bits for an element, by its row-major number.
  ///
  /// Two rounds of multiplication and shifts with small bias (constants of Wellons, "Prospecting for Hash Functions").
  public func bits(_ element: UInt32) -> UInt32 {
    var x = element ^ first
    x = (x ^ (x >> 16)) &* 0x21F0_AAAD
    x = ((x ^ (x >> 15)) &+ second) &* 0x735A_2D97
    return x ^ (x >> 15)
  }

  /// The rounding of each element of a matrix.
  public func rounding(_ element: Int) -> Rounding {
    .stochastic(bits(UInt32(truncatingIfNeeded: element)))
  }
}
