import Glibc

/// Random numbers as a pure function of (seed, stream, counter): the same on every device, in any order, after
/// any resume.
///
/// Each value is a mixed 64-bit counter (the finalizer of SplitMix64; Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators", 2014).
public struct CounterRandom: Sendable, Hashable {
  private let key: UInt64

  /// - Parameters:
  ///   - seed: The run's seed.
  ///   - stream: What the numbers are for; different streams are independent.
  public init(seed: UInt64, stream: UInt64 = 0) {
    key = Self.mixed(Self.mixed(seed) &+ 0x9E37_79B9_7F4A_7C15 &* (stream &+ 1))
  }

  /// A stream named by a text, for example a parameter's name.
  public init(seed: UInt64, stream: String) {
    self.init(seed: seed, stream: Self.hash(of: stream))
  }

  /// FNV-1a: Swift's own hashes differ from run to run.
  static func hash(of text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 64 random bits.
  public func bits(_ counter: UInt64) -> UInt64 {
    Self.mixed(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Uniform in [0, 1), 53 bits.
  public func uniform(_ counter: UInt64) -> Double { Double(bits(counter) >> 11) * 0x1p-53 }

  /// Uniform in 0..<bound.
  ///
  /// - Precondition: `bound` is positive. The bias is below bound / 2^64.
  public func integer(_ counter: UInt64, below bound: Int) -> Int {
    Int(bits(counter).multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Standard normal (Box and Muller, 1958).
  public func normal(_ counter: UInt64) -> Double {
    let radius = (-2 * log(1 - uniform(2 &* counter))).squareRoot()
    return radius * cos(2 * Double.pi * uniform(2 &* counter &+ 1))
  }

  /// `count` normal values with the given deviation.
  public func normals(_ count: Int, deviation: Double) -> [Float] {
    (0..<count).map { Float(normal(UInt64($0)) * deviation) }
  }
}
