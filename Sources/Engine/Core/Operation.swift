public import Kernels

/// A piece of mathematics on tensors: one type in one file with everything that is known about it.
///
/// From an operation follow, with no further code: execution on every device, the plan (shapes, bytes, FLOPs),
/// `nibble verify` and the generic test over ``samples``.
///
/// Outputs are written, never returned: the caller provides their memory. Operations that add to what an output
/// already holds are ``AccumulatingOperation``s.
public protocol Operation: Sendable {
  /// The dotted lower_snake name, as in fixtures.
  static var name: String { get }

  /// Inputs and outputs; see ``ShapeSignature``. May depend on the operation's attributes.
  var signature: String { get }

  /// Demands beyond the signature (divisibility, ranges of attributes).
  func validate(_ inputs: [TensorType]) throws(ShapeError)

  /// The definition: plain loops in the scalar's own precision.
  ///
  /// `outputs` have their final shape; their values are undefined unless the operation accumulates.
  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>])

  /// The host path: BLAS, vectors, threads.
  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws

  /// The OpenCL path: enqueues launches, waits for nothing.
  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws

  /// Work of one execution.
  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost

  /// Bytes that an execution allocates on the device besides its outputs, where they are worth planning for.
  func workspace(_ inputs: [TensorType]) -> Int

  /// How near a device's outputs must be to the reference's.
  static var comparison: OutputComparison { get }

  /// Cases at which a generic test checks the operation and `nibble verify` runs it.
  static var samples: [Sample] { get }
}

/// How near a device's outputs must be to the reference's.
public enum OutputComparison: Sendable, Hashable {
  /// Within what the reference loses in single precision.
  case rounded
  /// The bits of the reference in Float: operations that round on purpose, where the smallest difference grows to a
  /// step of the format.
  case exact
}

extension Operation {
  public static var comparison: OutputComparison { .rounded }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {}

  public func workspace(_ inputs: [TensorType]) -> Int { 0 }

  /// Bandwidth-bound default: every operand is moved once, one FLOP per output element.
  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: outputs.reduce(0) { $0 + Double($1.shape.count) }, moving: inputs + outputs)
  }

  /// Types of the outputs, or why the inputs do not fit.
  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    let types = try ShapeSignature(signature).outputs(of: Self.name, for: inputs)
    try validate(inputs)
    return types
  }
}

/// FLOPs and bytes moved of one execution, counted by the definition, whatever a kernel really does.
public struct Cost: Sendable, Hashable {
  public var flops: Double
  public var bytes: Double

  public init(flops: Double, bytes: Double) {
    self.flops = flops
    self.bytes = bytes
  }

  /// Every tensor is moved once.
  init(flops: Double, moving tensors: [TensorType]) {
    self.init(flops: flops, bytes: tensors.reduce(0) { $0 + Double($1.byteCount) })
  }
}

/// An operation with a gradient.
public protocol DifferentiableOperation: Operation {
  /// The inputs and outputs that ``backward(_:)`` reads; others are released after the forward.
  var saved: SavedTensors { get }

  /// The outputs that are rounded and kept in two bytes where a model stores its activations so.
  ///
  /// The first unless an operation says otherwise: others are statistics of rows, states or losses, which stay exact.
  var activations: Set<Int> { get }

  /// Hands the gradient of every input that needs one to the context, in terms of other operations.
  func backward(_ context: GradientContext)
}

extension DifferentiableOperation {
  public var activations: Set<Int> { [0] }
}

/// Positions of the tensors that a backward needs.
public struct SavedTensors: Sendable, Hashable {
  public var inputs: Set<Int>
  public var outputs: Set<Int>

  public init(inputs: Set<Int> = [], outputs: Set<Int> = []) {
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// An operation whose first output can be added to what it holds instead of overwriting it: gradients of
/// parameters are summed in place, without a buffer and a pass of their own.
public protocol AccumulatingOperation: Operation {
  var accumulates: Bool { get set }
}
