public import Kernels

/// A dense array on one device.
///
/// Immutable once an operation has produced it; copies share memory.
public struct Tensor {
  public let type: TensorType
  public let memory: Memory
  /// Identifies the tensor on the tape that produced it; nil for values that need no gradient.
  let variable: Int?
  /// What a tape keeps of it for the backward.
  let storage: TensorStorage

  init(type: TensorType, memory: Memory, variable: Int? = nil, storage: TensorStorage = .floats) {
    precondition(
      type.shape.count == memory.count, "\(type) needs \(type.shape.count) elements, not \(memory.count)")
    self.type = type
    self.memory = memory
    self.variable = variable
    self.storage = storage
  }

  /// A tensor without gradient over existing memory.
  public init(_ memory: Memory, shape: Shape) {
    self.init(type: TensorType(shape, memory.element), memory: memory)
  }

  /// Uploads `values`.
  public init<Scalar: DeviceScalar>(_ values: [Scalar], shape: Shape, on device: any Device) {
    let memory = device.allocate(shape.count, of: Scalar.elementType)
    device.write(values, to: memory)
    self.init(type: TensorType(shape, Scalar.elementType), memory: memory)
  }

  public var shape: Shape { type.shape }

  /// The same elements in another shape of the same count; gradients follow.
  public func reshaped(to shape: Shape) -> Tensor {
    Tensor(type: TensorType(shape, type.element), memory: memory, variable: variable, storage: storage)
  }

  /// The same value, cut off from the tape: no gradient flows through it.
  public var detached: Tensor { Tensor(type: type, memory: memory, storage: storage) }

  /// Rows `start..<start+count` of the first axis, sharing memory; without gradient.
  ///
  /// - Precondition: the rows start at a multiple of ``Memory/viewAlignment`` bytes, or at 0.
  public func leadingRows(_ count: Int) -> Tensor {
    precondition(shape.rank > 0 && count <= shape[0], "\(count) rows of \(shape)")
    let part = Shape([count] + shape.dimensions.dropFirst())
    return Tensor(type: TensorType(part, type.element), memory: memory.view(from: 0, count: part.count))
  }

  /// Waits for the device and returns the elements.
  public func floats(on device: any Device) throws -> [Float] { try device.read(memory, as: Float.self) }
}
