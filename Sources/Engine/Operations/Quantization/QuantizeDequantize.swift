public import Kernels
import NumberFormats

/// A matrix rounded to a block format and back: what low-precision hardware would compute with, as floats.
///
/// Inputs: x [rows, columns]; largest [1], the tensor's largest magnitude, where the choice needs it
/// (``LargestMagnitude``, or one that is remembered: delayed scaling); signs [rotation], +-1, with a Hadamard transform.
/// Outputs: y like x. Every device gives the same bits. It has no gradient of its own: layers choose the estimator.
public struct QuantizeDequantize: Operation {
  public static let name = "quantize_dequantize"
  public static let comparison = OutputComparison.exact
  public let choice: QuantizationChoice

  public init(_ choice: QuantizationChoice) { self.choice = choice }

  public var signature: String { Self.inputs(choice) + " > y [rows, columns]" }

  static func inputs(_ choice: QuantizationChoice) -> String {
    "x [rows, columns]" + (choice.needsLargest ? ", largest [1]" : "")
      + (choice.rotation.map { ", signs [\($0)]" } ?? "")
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    let shape = inputs[0].shape
    if let problem = choice.problem(rows: shape[0], columns: shape[1]) {
      throw ShapeError(operation: Self.name, expected: signature, problem: problem)
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    outputs[0].values = QuantizationReference(choice, inputs).matrix.values.map { Scalar($0) }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    QuantizationLaunch(choice, inputs).run(on: device, outputs)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try QuantizationLaunch(choice, inputs).run(on: device, outputs)
  }

  public static var samples: [Sample] {
    QuantizationSamples.all.map { $0.sample { QuantizeDequantize($0.choice) } }
  }
}

/// The same with what is stored: y, codes and scales.
///
/// Outputs: y [rows, columns]; codes: int32 [rows, columns], signed for integers; scales [tiles down, tiles across],
/// decoded and without the tensor's.
public struct QuantizeBlocks: Operation {
  public static let name = "quantize_blocks"
  public static let comparison = OutputComparison.exact
  public let choice: QuantizationChoice
  public let rows: Int
  public let columns: Int

  public init(_ choice: QuantizationChoice, rows: Int, columns: Int) {
    self.choice = choice
    self.rows = rows
    self.columns = columns
  }

  private var grid: (rows: Int, columns: Int) { choice.format.tile.grid(rows: rows, columns: columns) }

  public var signature: String {
    let inputs = QuantizeDequantize.inputs(choice).replacing("rows, columns", with: "\(rows), \(columns)")
    return inputs
      + " > y [\(rows), \(columns)], codes: int32 [\(rows), \(columns)], scales [\(grid.rows), \(grid.columns)]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try QuantizeDequantize(choice).validate(inputs)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let matrix = QuantizationReference(choice, inputs).matrix
    outputs[0].values = matrix.values.map { Scalar($0) }
    outputs[1].values = matrix.codes.map { code in
      guard case .integer(let format) = choice.format.element else { return Scalar(code) }
      let unused = 32 - format.bits
      return Scalar(Int32(bitPattern: code << unused) >> Int32(unused))
    }
    outputs[2].values = matrix.scales.map { Scalar($0) }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    QuantizationLaunch(choice, inputs).run(on: device, outputs)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try QuantizationLaunch(choice, inputs).run(on: device, outputs)
  }

  public static var samples: [Sample] {
    QuantizationSamples.all.map { sample in
      sample.sample { QuantizeBlocks($0.choice, rows: $0.rows, columns: $0.columns) }
    }
  }
}

extension Tape {
  /// Rounds a matrix to a block format and back; see ``QuantizeDequantize``.
  ///
  /// - Parameters:
  ///   - x: [rows, columns].
  ///   - largest: [1]; nil takes that of x where the choice needs one.
  ///   - signs: [rotation], with a Hadamard transform.
  public func quantizeDequantize(
    _ x: Tensor, _ choice: QuantizationChoice, largest: Tensor? = nil, signs: Tensor? = nil,
  ) -> Tensor {
    var inputs = [x.detached]
    if choice.needsLargest { inputs.append(largest ?? apply(LargestMagnitude(), [x.detached])[0]) }
    if choice.rotation != nil {
      guard let signs else { preconditionFailure("a Hadamard transform has signs") }
      inputs.append(signs)
    }
    return apply(QuantizeDequantize(choice), inputs)[0]
  }
}
