/// What low precision would cost on hardware that has the formats: counted, not measured.
///
/// A sum over products and the operands made for them; see ``LinearCost`` for what is counted.
public struct RecipeCost: Sendable, Hashable {
  /// Operations on single numbers that single precision would not need: maxima, scaling, rounding, random bits,
  /// transforms.
  public var operations = 0.0
  /// Bytes of codes and scales that products read.
  public var operandBytes = 0.0
  /// Bytes that making the operands reads and writes.
  public var roundingBytes = 0.0
  /// Bytes that the same products read in BF16.
  public var baselineBytes = 0.0
  /// Multiplications and additions of the products.
  public var flops = 0.0
  /// Time on the modelled hardware, in BF16 FLOPs; see ``HardwareBalance``.
  public var time = 0.0
  /// The same of the products in BF16.
  public var baselineTime = 0.0

  public init() {}

  /// All bytes that are moved.
  public var bytes: Double { operandBytes + roundingBytes }
  /// Over the time in BF16; below 1 is faster.
  public var relativeTime: Double { baselineTime > 0 ? time / baselineTime : 1 }
  /// Over the bytes in BF16.
  public var relativeBytes: Double { baselineBytes > 0 ? bytes / baselineBytes : 1 }

  public static func + (a: RecipeCost, b: RecipeCost) -> RecipeCost {
    a.combined(b, 1, 1)
  }

  /// For example per token.
  public func scaled(by factor: Double) -> RecipeCost { combined(RecipeCost(), factor, 0) }

  private func combined(_ other: RecipeCost, _ own: Double, _ others: Double) -> RecipeCost {
    func sum(_ path: KeyPath<RecipeCost, Double>) -> Double {
      self[keyPath: path] * own + other[keyPath: path] * others
    }
    var result = RecipeCost()
    result.operations = sum(\.operations)
    result.operandBytes = sum(\.operandBytes)
    result.roundingBytes = sum(\.roundingBytes)
    result.baselineBytes = sum(\.baselineBytes)
    result.flops = sum(\.flops)
    result.time = sum(\.time)
    result.baselineTime = sum(\.baselineTime)
    return result
  }
}

/// How fast a processor multiplies, computes on single numbers and moves bytes, in units of its BF16 products.
public struct HardwareBalance: Sendable, Hashable {
  /// BF16 FLOPs in the time of one operation on a single number.
  public var flopsPerOperation: Double
  /// BF16 FLOPs in the time of one byte from or to memory.
  public var flopsPerByte: Double

  public init(flopsPerOperation: Double, flopsPerByte: Double) {
    self.flopsPerOperation = flopsPerOperation
    self.flopsPerByte = flopsPerByte
  }

  /// Near NVIDIA's B200 by its data sheet: dense BF16 at 2.25 PFLOP/s, FP32 at 75 TFLOP/s, memory at 8 TB/s.
  public static let recentAccelerator = HardwareBalance(flopsPerOperation: 30, flopsPerByte: 281)

  /// How many times as fast as BF16 elements of so many bits are multiplied: twice up to 8 bits, four times up to 4.
  ///
  /// Six bits go at the rate of eight there. Where hardware lacks a format (INT4), the model asks what it would be with it.
  public static func rate(bits: Int) -> Double { bits <= 4 ? 4 : bits <= 8 ? 2 : 1 }
}
