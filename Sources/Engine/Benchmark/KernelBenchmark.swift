import Kernels

/// A problem that can be timed on any device.
public struct KernelBenchmark: Sendable {
  /// What is timed, for example `matmul`, `attention_forward`.
  public let name: String
  /// The problem in display order.
  public let parameters: [BenchmarkRow.Parameter]
  /// The large tensors; a device without room for them is refused before any value is made.
  private let tensors: [Shape]
  private let make: @Sendable (any OperationDevice) throws -> PreparedBenchmark

  init(
    _ name: String, _ parameters: [BenchmarkRow.Parameter], tensors: [Shape] = [],
    prepare: @escaping @Sendable (any OperationDevice) throws -> PreparedBenchmark,
  ) {
    self.name = name
    self.parameters = parameters
    self.tensors = tensors
    make = prepare
  }

  /// Allocates and fills everything on a device.
  ///
  /// - Throws: ``KernelError`` for a problem that does not fit.
  func prepare(_ device: any OperationDevice) throws -> PreparedBenchmark {
    try device.description.requireRoom(for: tensors)
    return try make(device)
  }
}

/// A problem with its memory on one device.
struct PreparedBenchmark {
  /// Work of one execution; nil where it has no meaning.
  var cost: Cost?
  /// Tokens of one execution; nil where nothing counts tokens.
  var tokens: Int?
  /// Bytes that stay between executions, where that is the question.
  var keptBytes: Int?
  /// Enqueues one execution.
  var run: () throws -> Void
  /// Compares the result of the first execution with the reference.
  var verify: () throws -> BenchmarkRow.Verification
  /// Others that solve the same problem.
  var rivals: [Rival] = []

  struct Rival {
    /// `openblas`, `clblast`, `softmax`.
    let name: String
    let run: () throws -> Void
    let finish: () throws -> Void
    let verify: () throws -> BenchmarkRow.Verification
    /// Work of one execution where it is not ours.
    var cost: Cost? = nil
    var keptBytes: Int? = nil
  }
}

extension PreparedBenchmark {
  /// One operation on fresh tensors.
  init(_ problem: OperationProblem, on device: any OperationDevice) throws {
    self.init(problem, try OperationTensors(problem, on: device), on: device)
  }

  /// One operation on its tensors.
  init(_ problem: OperationProblem, _ tensors: OperationTensors, on device: any OperationDevice) {
    let operation = problem.operation
    self.init(
      cost: operation.cost(tensors.inputs.map(\.type), tensors.outputs.map(\.type)),
      run: { try device.execute(operation, tensors.inputs, tensors.outputs) },
      verify: { try problem.verify(tensors.outputValues(on: device)) })
  }

  /// This and then another one, as one execution.
  func followed(by other: PreparedBenchmark) -> PreparedBenchmark {
    var both = self
    both.run = {
      try run()
      try other.run()
    }
    both.verify = {
      let first = try verify()
      return first.isFailed ? first : .worse(first, try other.verify())
    }
    both.cost = cost.flatMap { a in
      other.cost.map { Cost(flops: a.flops + $0.flops, bytes: a.bytes + $0.bytes) }
    }
    return both
  }
}

/// An operation with its inputs, and the parts of it that the reference computes.
struct OperationProblem: Sendable {
  let operation: any Operation
  let types: [TensorType]
  /// The values of each input.
  let values: [[Float]]
  let check: BenchmarkCheck

  init(_ operation: any Operation, _ inputs: [Sample.Input], check: BenchmarkCheck) {
    self.operation = operation
    types = inputs.map(\.type)
    values = inputs.enumerated().map { index, input in
      BenchmarkValues.make(input.fill, count: input.type.shape.count, stream: "input \(index)")
    }
    self.check = check
  }

  init(_ operation: any Operation, types: [TensorType], values: [[Float]], check: BenchmarkCheck) {
    self.operation = operation
    self.types = types
    self.values = values
    self.check = check
  }

  func verify(_ outputs: [[Float]]) throws -> BenchmarkRow.Verification {
    try check.compare(outputs, inputs: values)
  }
}

/// The tensors of a problem on a device.
struct OperationTensors {
  let inputs: [Tensor]
  let outputs: [Tensor]

  /// Outputs are full of NaN, so that an element that is never written is seen.
  init(_ problem: OperationProblem, on device: any OperationDevice) throws {
    let types = try problem.operation.outputTypes(for: problem.types)
    inputs = zip(problem.types, problem.values).map { type, values in
      let memory = device.allocate(type.shape.count, of: type.element)
      upload(values, to: memory, on: device)
      return Tensor(memory, shape: type.shape)
    }
    outputs = types.map { Tensor(device.allocate($0.shape.count, of: $0.element), shape: $0.shape) }
    clear(on: device)
    try device.finish()
  }

  func outputValues(on device: any OperationDevice) throws -> [[Float]] {
    try outputs.map { try $0.floats(on: device) }
  }

  /// Fills the outputs with NaN: an element that is not written now is seen, whatever was right before.
  func clear(on device: any OperationDevice) {
    for output in outputs {
      device.write([Float](repeating: .nan, count: output.shape.count), to: output.memory)
    }
  }
}

/// Values of large tensors: random ones, repeated with a period that no axis has.
enum BenchmarkValues {
  /// A prime: no column or row meets itself again.
  private static let period = 1_048_573

  static func make(_ fill: Sample.Fill, count: Int, stream: String) -> [Float] {
    let tile = Sample.values(fill, count: min(count, period), seed: stream)
    guard count > tile.count else { return tile }
    return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
      for start in stride(from: 0, to: count, by: period) {
        let length = min(period, count - start)
        _ = UnsafeMutableBufferPointer(rebasing: buffer[start..<start + length])
          .initialize(from: tile[..<length])
      }
      filled = count
    }
  }
}

extension BenchmarkRow.Verification {
  var isFailed: Bool {
    if case .failed = self { return true }
    return false
  }

  /// A failure if there is one, else the larger error.
  static func worse(_ a: Self, _ b: Self) -> Self {
    guard case .passed(let first) = a, case .passed(let second) = b else { return a.isFailed ? a : b }
    return .passed(worst: max(first, second))
  }
}
