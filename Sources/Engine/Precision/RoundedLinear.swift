import Kernels
import NumberFormats

/// The product of a linear layer whose operands were rounded: `y = x_q w_q^T + bias`.
///
/// Inputs: x [m, k] and weight [n, k] (or [k, n]) as they are, which the gradients round anew along the sums of their own
/// products, then both as they were rounded for this one. Gradients pass through the rounding unchanged.
///
/// - SeeAlso: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013 (straight-through).
struct RoundedLinear: DifferentiableOperation {
  static let name = "rounded_linear"
  let rounding: LinearRounding
  /// The weight is stored [k, n].
  let weightIsTransposed: Bool
  let hasBias: Bool

  var signature: String {
    let weight = weightIsTransposed ? "[k, n]" : "[n, k]"
    return "x [m, k], weight \(weight), rounded_x [m, k], rounded_weight \(weight)\(hasBias ? ", bias [n]" : "") > y [m, n]"
  }

  private var product: MatMul { MatMul(transposeB: !weightIsTransposed, hasBias: hasBias) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    product.reference(Array(inputs.dropFirst(2)), &outputs)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try product.run(on: device, Array(inputs.dropFirst(2)), outputs)
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try product.run(on: device, Array(inputs.dropFirst(2)), outputs)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    product.cost(Array(inputs.dropFirst(2)), outputs)
  }

  var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }

  func backward(_ context: GradientContext) {
    guard let dy = context.cotangent(0) else { return }
    if hasBias, context.needs(4) { context.add(SumRows(), [dy], to: 4) }
    if context.needs(0) {
      let cotangent = context.tape.rounded(dy, rounding, .inputGradientCotangent, sumsOver: .columns)
      let weight = context.tape.rounded(
        context.input(1), rounding, .inputGradientWeight, sumsOver: weightIsTransposed ? .columns : .rows)
      context.add(MatMul(transposeB: weightIsTransposed), [cotangent, weight], to: 0)
    }
    if context.needs(1) {
      let cotangent = context.tape.rounded(dy, rounding, .weightGradientCotangent, sumsOver: .rows)
      let input = context.tape.rounded(context.input(0), rounding, .weightGradientInput, sumsOver: .rows)
      context.add(
        MatMul(transposeA: true), weightIsTransposed ? [input, cotangent] : [cotangent, input], to: 1)
    }
  }

  static var samples: [Sample] { [] }
}

/// The axis of a matrix that a product sums over.
enum SumAxis {
  case rows, columns
}

extension Tape {
  /// ``linear(_:weight:bias:activation:weightIsTransposed:)`` with rounded operands.
  func roundedLinear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, _ rounding: LinearRounding, weightIsTransposed: Bool,
  ) -> Tensor {
    let rows = x.reshaped(to: [x.shape.rows, x.shape.last])
    let roundedInput = rounded(rows.detached, rounding, .input, sumsOver: .columns)
    let roundedWeight = rounded(
      weight.detached, rounding, .weight, sumsOver: weightIsTransposed ? .rows : .columns)
    let operation = RoundedLinear(
      rounding: rounding, weightIsTransposed: weightIsTransposed, hasBias: bias != nil)
    let y = apply(operation, [rows, weight, roundedInput, roundedWeight] + (bias.map { [$0] } ?? []))[0]
    return y.reshaped(to: Shape(x.shape.dimensions.dropLast() + [y.shape.last]))
  }
}

extension Tape {
  /// An operand of a product as it is rounded for it.
  func rounded(_ x: Tensor, _ rounding: LinearRounding, _ operand: LinearOperand, sumsOver axis: SumAxis) -> Tensor {
    x
  }
}
