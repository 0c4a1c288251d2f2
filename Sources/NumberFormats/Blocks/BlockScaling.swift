/// How the numbers of a block get a common scale.
public enum BlockScaling: Sendable, Hashable {
  /// No scale: values are rounded as they are.
  case none
  /// UE8M0.
  case powerOfTwo(ExponentRule)
  /// A Float: the largest magnitude becomes the largest element value; `isPowerOfTwo` rounds the encode scale down to a
  /// power of two.
  case float32(isPowerOfTwo: Bool)
  /// A small float, rounded to nearest even and saturating. `zeroIsOne`: a scale that rounds to zero is stored as 0
  /// and decodes as 1; elsewhere such a block becomes zero.
  case float(FloatFormat, zeroIsOne: Bool)

  public var name: String {
    switch self {
    case .none: "none"
    case .powerOfTwo: ExponentScale.name
    case .float32: "fp32"
    case .float(let format, _): format.name
    }
  }

  /// Bits that a block's scale takes.
  public var bitCount: Int {
    switch self {
    case .none: 0
    case .powerOfTwo: 8
    case .float32: 32
    case .float: 8
    }
  }
}

/// The second level of scales: what is multiplied with the scales of all blocks of a tensor.
public struct TensorScale: Sendable, Hashable {
  /// What a block's largest magnitude is multiplied by to give its scale.
  public let encode: Float
  /// What block scales are multiplied by to give values back.
  public let decode: Float

  /// - Parameters:
  ///   - largest: The tensor's largest magnitude: of this step, or a remembered one. Zero gives factors of 1.
  ///   - target: The scale that the block with the largest magnitude gets.
  ///   - divisor: The largest element value.
  public init(largest: Float, target: Float, divisor: Float) {
    guard largest.magnitude >= .leastNormalMagnitude || largest.isNaN else {
      (encode, decode) = (1, 1); return
    }
    guard largest.isFinite else { (encode, decode) = (.nan, .nan); return }
    encode = target / largest
    decode = largest / (target * divisor)
  }
}

/// The scale of one block.
public struct BlockScale: Sendable, Hashable {
  /// What elements are multiplied by before they are rounded.
  public let encode: Float
  /// What rounded elements are multiplied by.
  public let decode: Float
  /// What is stored: `decode` without the tensor's scale.
  public let stored: Float

  /// Elements of a block with a number that is not finite all become NaN.
  public static let notANumber = BlockScale(encode: .nan, decode: .nan, stored: .nan)
  public static let one = BlockScale(encode: 1, decode: 1, stored: 1)

  public init(encode: Float, decode: Float, stored: Float) {
    self.encode = encode
    self.decode = decode
    self.stored = stored
  }
}
