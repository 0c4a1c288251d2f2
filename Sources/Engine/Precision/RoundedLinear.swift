import Kernels
import NumberFormats

/// The product of a linear layer whose operands were rounded: `y = x_q w_q^T + bias`.
///
/// Inputs: x [m, k] and weight [n, k] (or [k, n]) as they are, which the gradients round anew along the sums of their own
/// products, then both as they were rounded for this one. Gradients pass through the rounding unchanged, or as the operands'
/// estimators say (``RoundingGradient``), or go to the rounded operands where those have gradients of their own (learned
/// scales).
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
    return
      "x [m, k], weight \(weight), rounded_x [m, k], rounded_weight \(weight)\(hasBias ? ", bias [n]" : "") > y [m, n]"
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

  var saved: SavedTensors {
    let (weight, input) = (rounding.formats.dgradWeight, rounding.formats.wgradInput)
    var saved: Set = [input == .forward ? 2 : 0, weight == .forward ? 3 : 1]
    if estimates(.fpropInput) { saved.insert(0) }
    if estimates(.fpropWeight) { saved.insert(1) }
    return SavedTensors(inputs: saved)
  }

  func backward(_ context: GradientContext) {
    guard let dy = context.cotangent(0) else { return }
    if hasBias, context.needs(4) { context.add(SumRows(), [dy], to: 4) }
    // Rounding with a gradient of its own (learned scales) hands it on; else it goes past the rounding.
    let (inputIndex, weightIndex) = (context.needs(2) ? 2 : 0, context.needs(3) ? 3 : 1)
    if context.needs(inputIndex) {
      let cotangent = context.tape.rounded(dy, rounding, .dgradCotangent, sumsOver: .columns)
      let weight = weight(context)
      add(
        MatMul(transposeB: weightIsTransposed), [cotangent, weight], through: .fpropInput, sumsOver: .columns,
        to: inputIndex, context)
    }
    if context.needs(weightIndex) {
      let cotangent = context.tape.rounded(dy, rounding, .wgradCotangent, sumsOver: .rows)
      let input = input(context)
      add(
        MatMul(transposeA: true), weightIsTransposed ? [input, cotangent] : [cotangent, input],
        through: .fpropWeight, sumsOver: weightIsTransposed ? .rows : .columns, to: weightIndex, context)
    }
  }

  private func estimates(_ operand: LinearOperand) -> Bool {
    rounding.formats[operand].map { $0.estimator != .straightThrough } ?? false
  }

  /// Hands a product over as the gradient of an operand before it was rounded.
  private func add(
    _ product: MatMul, _ factors: [Tensor], through operand: LinearOperand, sumsOver axis: SumAxis,
    to index: Int, _ context: GradientContext,
  ) {
    guard estimates(operand) else {
      context.add(product, factors, to: index)
      return
    }
    let gradient = context.tape.apply(product, factors)[0]
    context.add(
      context.tape.passed(gradient, through: context.input(index), rounding, operand, sumsOver: axis),
      to: index)
  }

  private func weight(_ context: GradientContext) -> Tensor {
    if rounding.formats.dgradWeight == .forward { return context.input(3) }
    return context.tape.rounded(
      context.input(1), rounding, .dgradWeight, sumsOver: weightIsTransposed ? .columns : .rows)
  }

  private func input(_ context: GradientContext) -> Tensor {
    if rounding.formats.wgradInput == .forward { return context.input(2) }
    return context.tape.rounded(context.input(0), rounding, .wgradInput, sumsOver: .rows)
  }

  static var samples: [Sample] { [] }
}
