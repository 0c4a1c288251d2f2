import Kernels

/// A normalization whose mathematics is that of ``NormForward``.
protocol NormOperation: DifferentiableOperation {
  var forward: NormForward { get }
  /// FLOPs of one element, by the definition.
  static var flops: Double { get }
}

extension NormOperation {
  public var signature: String { forward.operands.signature() }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try forward.validate(inputs, of: Self.name)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    forward.reference(inputs, &outputs)
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    forward.run(on: device, inputs, outputs)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try forward.run(on: device, inputs, outputs)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: Self.flops * Double(outputs[0].shape.count), moving: inputs + outputs)
  }

  public var activations: Set<Int> { Set([0, forward.operands.output(.sum)].compactMap { $0 }) }

  public var saved: SavedTensors { forward.saved }
}

/// The gradient of a ``NormOperation`` in one pass: dx [..., dim] and partial sums of the gradients of weight and bias.
protocol NormGradientOperation: Operation {
  var backward: NormBackward { get }
  /// FLOPs of one element, by the definition.
  static var flops: Double { get }
}

extension NormGradientOperation {
  var signature: String { backward.operands.signature(blocks: backward.blocks) }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try backward.validate(inputs, of: Self.name) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    backward.reference(inputs, &outputs)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    backward.run(on: device, inputs, outputs)
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try backward.run(on: device, inputs, outputs)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: Self.flops * Double(outputs[0].shape.count), moving: inputs + outputs)
  }
}
