public import Kernels

/// Lengths of a tensor's axes, outermost first.
///
/// Tensors are dense and row-major.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  public let dimensions: [Int]

  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "negative dimension in \(dimensions)")
    self.dimensions = dimensions
  }

  public init(arrayLiteral elements: Int...) { self.init(elements) }

  /// Number of elements; 1 for a shape without axes.
  public var count: Int { dimensions.reduce(1, *) }
  public var rank: Int { dimensions.count }
  /// Length of the last axis, 1 without axes.
  public var last: Int { dimensions.last ?? 1 }
  /// Number of rows when all axes but the last are taken together.
  public var rows: Int { last == 0 ? 0 : count / last }

  public subscript(axis: Int) -> Int { dimensions[axis] }

  public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}

/// Shape and element type: all that a tensor is before it has memory.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public let shape: Shape
  public let element: ElementType

  public init(_ shape: Shape, _ element: ElementType = .float32) {
    self.shape = shape
    self.element = element
  }

  public var byteCount: Int { shape.count * element.byteCount }
  public var description: String { element == .float32 ? shape.description : "\(element.rawValue) \(shape)" }
}
