public import Kernels

/// A device that runs every operation by its reference: in Double it is the truth that other devices are
/// compared with, in Float it tells what plain single precision loses.
///
/// Gradients follow, as they are operations too.
public final class ReferenceDevice<Scalar: ReferenceScalar>: OperationDevice {
  public let description: DeviceDescription
  public let failure = FailureLatch()
  public let memoryUse = MemoryUse()

  public init() {
    description = DeviceDescription(
      name: "reference", product: "reference in \(Scalar.self)", vendor: "-", driver: "-", isProcessor: true,
      computeUnits: 1, memoryByteCount: .max, largestAllocation: .max)
  }

  /// Filled with NaN, so that an element that an operation forgets is seen.
  public func allocate(_ count: Int, of element: ElementType) -> Memory {
    ReferenceMemory<Scalar>(
      element: element, count: count, values: SharedValues([Scalar](repeating: .nan, count: count)), start: 0)
  }

  public func write<Value: DeviceScalar>(_ values: [Value], to memory: Memory) {
    guard let memory = memory as? ReferenceMemory<Scalar> else { return }
    memory.replace(values.map { Self.scalar($0) })
  }

  public func writeSmall(_ values: [Float], to memory: Memory) { write(values, to: memory) }

  public func read<Value: DeviceScalar>(_ memory: Memory, as type: Value.Type) throws -> [Value] {
    try failure.throwIfSet()
    return try values(memory).map { scalar in
      guard let value = Self.value(scalar, as: Value.self) else {
        throw ShapeError(
          operation: "read", expected: "\(Value.elementType.rawValue) [...]",
          problem: "\(scalar) does not fit")
      }
      return value
    }
  }

  /// The values in full precision.
  public func values(_ memory: Memory) -> [Scalar] { (memory as? ReferenceMemory<Scalar>)?.slice ?? [] }

  /// A tensor with values in full precision.
  public func tensor(_ values: [Scalar], _ type: TensorType) -> Tensor {
    Tensor(
      ReferenceMemory<Scalar>(
        element: type.element, count: values.count, values: SharedValues(values), start: 0),
      shape: type.shape)
  }

  public func copy(_ source: Memory, to destination: Memory) {
    (destination as? ReferenceMemory<Scalar>)?.replace(values(source))
  }

  public func zero(_ memory: Memory) {
    (memory as? ReferenceMemory<Scalar>)?.replace([Scalar](repeating: 0, count: memory.count))
  }

  public func fill(_ memory: Memory, with value: Float) {
    (memory as? ReferenceMemory<Scalar>)?.replace([Scalar](repeating: Scalar(value), count: memory.count))
  }

  public func finish() throws { try failure.throwIfSet() }

  public func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let arguments = inputs.map { ReferenceTensor($0.shape, values($0.memory)) }
    var results = outputs.map { ReferenceTensor($0.shape, values($0.memory)) }
    operation.reference(arguments, &results)
    for (result, output) in zip(results, outputs) {
      (output.memory as? ReferenceMemory<Scalar>)?.replace(result.values)
    }
  }

  private static func scalar<Value: DeviceScalar>(_ value: Value) -> Scalar {
    switch value {
    case let value as Float: Scalar(value)
    case let value as Int32: Scalar(value)
    case let value as UInt8: Scalar(value)
    case let value as BFloat16: Scalar(value.float)
    default: .nan
    }
  }

  private static func value<Value: DeviceScalar>(_ scalar: Scalar, as type: Value.Type) -> Value? {
    switch Value.elementType {
    case .float32: Float(scalar) as? Value
    case .int32: Int32(exactly: scalar) as? Value
    case .uint8: UInt8(exactly: scalar) as? Value
    case .bfloat16: BFloat16(Float(scalar)) as? Value
    }
  }
}

final class SharedValues<Scalar> {
  var values: [Scalar]
  init(_ values: [Scalar]) { self.values = values }
}

/// Memory of a ``ReferenceDevice``: one scalar per element, whatever the element type.
final class ReferenceMemory<Scalar: ReferenceScalar>: Memory {
  private let shared: SharedValues<Scalar>
  private let start: Int

  init(element: ElementType, count: Int, values: SharedValues<Scalar>, start: Int) {
    shared = values
    self.start = start
    super.init(element: element, count: count)
  }

  var slice: [Scalar] { Array(shared.values[start..<start + count]) }

  func replace(_ values: [Scalar]) {
    precondition(values.count == count, "\(values.count) values for \(count) elements")
    shared.values.replaceSubrange(start..<start + count, with: values)
  }

  override func view(from start: Int, count: Int) -> Memory {
    precondition(start >= 0 && count >= 0 && start + count <= self.count, "view outside its memory")
    return ReferenceMemory(element: element, count: count, values: shared, start: self.start + start)
  }
}
