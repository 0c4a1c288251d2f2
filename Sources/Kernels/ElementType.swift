/// The type of one element as devices store it.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
  case float32
  case int32
  case uint8

  /// Size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .uint8: 1
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
