import Files

/// The type of one element as devices store it.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
  case float32
  case int32
  case uint8
  case bfloat16

  /// Size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .uint8: 1
    case .bfloat16: 2
    }
  }
}

/// A Swift type that devices store unchanged.
public protocol DeviceScalar: BitwiseCopyable, Sendable {
  static var elementType: ElementType { get }
}

extension Float: DeviceScalar {
  public static var elementType: ElementType { .float32 }
}
extension Int32: DeviceScalar {
  public static var elementType: ElementType { .int32 }
}
extension UInt8: DeviceScalar {
  public static var elementType: ElementType { .uint8 }
}

/// The upper half of a Float: what devices store in two bytes.
public struct BFloat16: DeviceScalar, Hashable {
  public let bits: UInt16

  /// Rounded to nearest even.
  public init(_ value: Float) { bits = HalfPrecision.bfloat16(value) }

  public init(bits: UInt16) { self.bits = bits }

  public static var elementType: ElementType { .bfloat16 }

  /// The same value; exact.
  public var float: Float { Float(bitPattern: UInt32(bits) << 16) }
}
