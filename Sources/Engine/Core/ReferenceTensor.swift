import Glibc

/// The precision a reference is computed in: Double for the truth, Float for what plain arithmetic loses.
public protocol ReferenceScalar: BinaryFloatingPoint, Sendable {
  static func exp(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func log1p(_ x: Self) -> Self
  static func tanh(_ x: Self) -> Self
  static func erf(_ x: Self) -> Self
  static func cos(_ x: Self) -> Self
  static func sin(_ x: Self) -> Self
}

extension Double: ReferenceScalar {
  public static func exp(_ x: Double) -> Double { Glibc.exp(x) }
  public static func log(_ x: Double) -> Double { Glibc.log(x) }
  public static func log1p(_ x: Double) -> Double { Glibc.log1p(x) }
  public static func tanh(_ x: Double) -> Double { Glibc.tanh(x) }
  public static func erf(_ x: Double) -> Double { Glibc.erf(x) }
  public static func cos(_ x: Double) -> Double { Glibc.cos(x) }
  public static func sin(_ x: Double) -> Double { Glibc.sin(x) }
}

extension Float: ReferenceScalar {
  public static func exp(_ x: Float) -> Float { Glibc.expf(x) }
  public static func log(_ x: Float) -> Float { Glibc.logf(x) }
  public static func log1p(_ x: Float) -> Float { Glibc.log1pf(x) }
  public static func tanh(_ x: Float) -> Float { Glibc.tanhf(x) }
  public static func erf(_ x: Float) -> Float { Glibc.erff(x) }
  public static func cos(_ x: Float) -> Float { Glibc.cosf(x) }
  public static func sin(_ x: Float) -> Float { Glibc.sinf(x) }
}

/// A tensor for references: plain values, whatever the element type (int32 and uint8 are exact in both scalars
/// up to 2^24).
public struct ReferenceTensor<Scalar: ReferenceScalar>: Sendable {
  public let shape: Shape
  public var values: [Scalar]

  public init(_ shape: Shape, _ values: [Scalar]) {
    precondition(values.count == shape.count, "\(values.count) values for \(shape)")
    self.shape = shape
    self.values = values
  }

  public init(_ shape: Shape, repeating value: Scalar = 0) {
    self.shape = shape
    values = [Scalar](repeating: value, count: shape.count)
  }

  public subscript(index: Int) -> Scalar {
    get { values[index] }
    set { values[index] = newValue }
  }

  /// The element at `index` as an integer (ids, labels, masks).
  public func integer(_ index: Int) -> Int { Int(values[index]) }
}
