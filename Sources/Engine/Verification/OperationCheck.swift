import Kernels

/// The verdict on one sample on one device.
public struct CheckResult: Sendable {
  public let operation: String
  public let label: String
  /// Largest error of the outputs, relative to each output's size; nil when it could not be measured.
  public var forwardError: Double?
  /// The same for gradients; nil for operations without one.
  public var backwardError: Double?
  /// What is wrong; empty when the sample passes.
  public var problems: [String] = []
  /// What kept the sample from running to its end; among the problems, too.
  public var error: (any Error)?

  public var passes: Bool { problems.isEmpty }
}

/// Checks every promise of an operation at one sample.
///
/// - The gradient formulas, evaluated in fp64, agree with central differences of the fp64 reference.
/// - Outputs on the device agree with the fp64 reference, or have the bits of the Float reference where the operation
///   demands it (``OutputComparison``). The tolerance comes from the format: twice (gradients:
///   three times) what the plain single-precision reference loses, and 16 units in the last place for the
///   device's own exp, tanh and the like.
/// - Nothing is written outside the outputs, no element of them is forgotten (guards and NaN fill), and the inputs
///   keep their values.
/// - A second run gives the same bits.
public struct OperationCheck {
  public let sample: Sample
  private let truth: Evaluation
  private let plain: Evaluation
  private let differenceProblem: String?

  /// Evaluates the references.
  ///
  /// Costs some evaluations of the fp64 reference per input element.
  ///
  /// - Parameter comparesDifferences: False leaves the gradient formulas unchecked, which no device changes.
  public init(_ sample: Sample, comparesDifferences: Bool = true) throws {
    self.sample = sample
    let double = ReferenceDevice<Double>()
    truth = try Evaluation.run(sample, on: double) { double.values($0) }
    plain = try Evaluation.run(sample, on: ReferenceDevice<Float>())
    differenceProblem =
      comparesDifferences ? try FiniteDifferences.problem(of: sample, gradients: truth.gradients) : nil
  }

  /// Runs the sample on `device`.
  public func run(on device: any OperationDevice) -> CheckResult {
    var result = CheckResult(operation: type(of: sample.operation).name, label: sample.label)
    if let differenceProblem { result.problems.append(differenceProblem) }
    do {
      let guarded = try GuardedRun(sample, on: device)
      result.problems += guarded.problems
      let forward =
        type(of: sample.operation).comparison == .exact
        ? compareBits(guarded.outputs, plain.outputs)
        : compare(guarded.outputs, truth.outputs, plain.outputs, factor: 2, "output")
      result.forwardError = forward.error
      result.problems += forward.problems
      let evaluation = try Evaluation.run(sample, on: device)
      guard !truth.gradients.isEmpty else { return result }
      let backward = compare(
        truth.gradients.keys.sorted().map { evaluation.gradients[$0] ?? [] },
        truth.gradients.keys.sorted().map { truth.gradients[$0] ?? [] },
        truth.gradients.keys.sorted().map { plain.gradients[$0] ?? [] }, factor: 3, "gradient")
      result.backwardError = backward.error
      result.problems += backward.problems
    } catch {
      result.error = error
      result.problems.append("\(error)")
    }
    return result
  }

  private static let unitInLastPlace = 0x1p-23

  /// The error that is allowed where the plain single-precision reference has `plainError`.
  static func tolerance(plainError: Double, factor: Double) -> Double {
    factor * plainError + 16 * unitInLastPlace
  }

  /// Outputs that must be the plain reference's, bit by bit; every NaN is alike.
  private func compareBits(_ got: [[Double]], _ want: [[Double]]) -> (error: Double, problems: [String]) {
    var problems: [String] = []
    for index in want.indices {
      let places = want[index].indices.filter { place in
        let (g, w) = (got[index][place], want[index][place])
        return g.bitPattern != w.bitPattern && !(g.isNaN && w.isNaN)
      }
      guard let first = places.first else { continue }
      problems.append(
        "output \(index): \(places.count) of \(want[index].count) elements have other bits; the first is element "
          + "\(first), \(got[index][first]) instead of \(want[index][first])")
    }
    return (problems.isEmpty ? 0 : .infinity, problems)
  }

  private func compare(
    _ got: [[Double]], _ want: [[Double]], _ plain: [[Double]], factor: Double, _ what: String,
  ) -> (error: Double, problems: [String]) {
    var worst = 0.0
    var problems: [String] = []
    for index in want.indices {
      let error = relativeError(got[index], want[index])
      let plainError = relativeError(plain[index], want[index])
      let allowed = sample.slack * Self.tolerance(plainError: plainError, factor: factor)
      worst = max(worst, error)
      guard plainError.isFinite else {
        // Nothing could be told from a comparison that allows every error.
        problems.append("\(what) \(index): the reference in single precision has no finite error")
        continue
      }
      if !(error <= allowed) {
        problems.append("\(what) \(index): error \(error) is above \(allowed)")
      }
    }
    return (worst, problems)
  }
}

/// Largest difference, each relative to the element's own size plus the root mean square of all.
///
/// - Parameter rowLength: Elements of a row where rows differ in size: what is added is the root mean square of the element's
///   row, where that is the larger one.
public func relativeError(_ got: [Double], _ want: [Double], rowLength: Int? = nil) -> Double {
  guard got.count == want.count else { return .infinity }
  guard !want.isEmpty else { return 0 }
  let common = max(rootMeanSquare(want[...]), Double.leastNormalMagnitude)
  var worst = 0.0
  for start in stride(from: 0, to: want.count, by: rowLength ?? want.count) {
    let row = start..<min(start + (rowLength ?? want.count), want.count)
    let scale = rowLength == nil ? common : max(common, rootMeanSquare(want[row]))
    for index in row where got[index] != want[index] {
      if want[index].isNaN && got[index].isNaN { continue }
      let error = abs(got[index] - want[index]) / (abs(want[index]) + scale)
      if !(error <= worst) { worst = error.isNaN ? .infinity : error }
    }
  }
  return worst
}

private func rootMeanSquare(_ values: ArraySlice<Double>) -> Double {
  (values.reduce(0) { $0 + ($1.isFinite ? $1 * $1 : 0) } / Double(values.count)).squareRoot()
}

/// Outputs and gradients of a sample on one device, as doubles.
struct Evaluation {
  let outputs: [[Double]]
  /// By input position.
  let gradients: [Int: [Double]]

  static func run(
    _ sample: Sample, on device: any OperationDevice, exact: ((Memory) -> [Double])? = nil,
  ) throws -> Evaluation {
    let read = { (memory: Memory) throws -> [Double] in
      if let exact { return exact(memory) }
      return try device.doubles(memory)
    }
    return try run(sample.operation, sample, on: device, read: read)
  }

  private static func run(
    _ operation: some Operation, _ sample: Sample, on device: any OperationDevice,
    read: (Memory) throws -> [Double],
  ) throws -> Evaluation {
    let isDifferentiable = operation is any DifferentiableOperation
    let tape = Tape(on: device, isRecording: isDifferentiable)
    let checked = isDifferentiable ? sample.checkedGradients : []
    let inputs = sample.inputs.indices.map { index in
      let tensor = sample.tensor(index, on: device)
      return checked.contains(index) ? tape.watch(tensor) : tensor
    }
    let outputs = tape.apply(operation, inputs, into: sample.destinations(on: device))
    let values = try outputs.map { try read($0.memory) }
    guard !checked.isEmpty else { return Evaluation(outputs: values, gradients: [:]) }
    let seeded = outputs.indices.filter { sample.isDifferentiable(output: $0) }
    let cotangents = seeded.map { index in
      Tensor(
        sample.cotangent(index, count: outputs[index].shape.count), shape: outputs[index].shape, on: device)
    }
    let watched = checked.sorted()
    let found = tape.gradients(
      of: seeded.map { outputs[$0] }, with: cotangents, for: watched.map { inputs[$0] })
    var gradients: [Int: [Double]] = [:]
    for (index, gradient) in zip(watched, found) {
      gradients[index] =
        try gradient.map { try read($0.memory) }
        ?? [Double](repeating: 0, count: inputs[index].shape.count)
    }
    return Evaluation(outputs: values, gradients: gradients)
  }
}

extension Sample {
  /// Inputs whose gradient is checked.
  var checkedGradients: Set<Int> {
    gradients ?? Set(inputs.indices.filter { inputs[$0].type.element == .float32 })
  }

  func tensor(_ index: Int, on device: any Device) -> Tensor {
    let type = inputs[index].type
    let memory = device.allocate(type.shape.count, of: type.element)
    upload(values(of: index), to: memory, on: device)
    return Tensor(memory, shape: type.shape)
  }

  /// Where outputs of an accumulating operation start from; empty for others.
  func destinations(on device: any Device) -> [Int: Tensor] {
    guard let initialOutput, let types = try? operation.outputTypes(for: inputs.map(\.type)) else {
      return [:]
    }
    let memory = device.allocate(types[0].shape.count, of: .float32)
    device.write(
      Self.values(initialOutput, count: types[0].shape.count, seed: "\(label) initial"), to: memory)
    return [0: Tensor(memory, shape: types[0].shape)]
  }

  /// The cotangent of output `index`: normal values.
  func cotangent(_ index: Int, count: Int) -> [Float] {
    CounterRandom(seed: 11, stream: "\(label) cotangent \(index)").normals(count, deviation: 1)
  }
}

/// Writes values in the memory's own element type.
func upload(_ values: [Float], to memory: Memory, on device: any Device) {
  switch memory.element {
  case .float32: device.write(values, to: memory)
  case .int32: device.write(values.map { Int32($0) }, to: memory)
  case .uint8: device.write(values.map { UInt8($0) }, to: memory)
  case .bfloat16: device.write(values.map { BFloat16($0) }, to: memory)
  }
}

extension Device {
  /// The elements of a memory of any type.
  func doubles(_ memory: Memory) throws -> [Double] {
    switch memory.element {
    case .float32: try read(memory, as: Float.self).map(Double.init)
    case .int32: try read(memory, as: Int32.self).map(Double.init)
    case .uint8: try read(memory, as: UInt8.self).map(Double.init)
    case .bfloat16: try read(memory, as: BFloat16.self).map { Double($0.float) }
    }
  }
}
