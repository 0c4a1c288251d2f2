import Kernels
import NumberFormats

/// The axis of a matrix that a product sums over.
enum SumAxis: Sendable {
  case rows, columns
}

extension Tape {
  /// ``linear(_:weight:bias:activation:weightIsTransposed:)`` with rounded operands.
  ///
  /// - Parameter scales: The learned ones; rounding that uses them has a gradient of its own.
  func roundedLinear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, _ rounding: LinearRounding, weightIsTransposed: Bool,
    scales: LearnedOperandScales = LearnedOperandScales(),
  ) -> Tensor {
    let rows = x.reshaped(to: [x.shape.rows, x.shape.last])
    let roundedInput =
      scales.input.map { learned(rows, rounding, .fpropInput, scale: $0) }
      ?? rounded(rows.detached, rounding, .fpropInput, sumsOver: .columns)
    let roundedWeight =
      uniformWeight(weight, rounding, scale: scales.weight, isTransposed: weightIsTransposed)
      ?? rounded(
        weight.detached, rounding, .fpropWeight, sumsOver: weightIsTransposed ? .rows : .columns)
    let operation = RoundedLinear(
      rounding: rounding, weightIsTransposed: weightIsTransposed, hasBias: bias != nil)
    // A gradient goes through the rounding, or past it.
    let operands = [
      scales.input == nil ? rows : rows.detached, scales.weight == nil ? weight : weight.detached,
      roundedInput, roundedWeight,
    ]
    let y = apply(operation, operands + (bias.map { [$0] } ?? []))[0]
    return y.reshaped(to: Shape(x.shape.dimensions.dropLast() + [y.shape.last]))
  }

  /// An operand of a product as it is rounded for it.
  ///
  /// Layers with the same input one after the other (queries, keys and values) share its rounding.
  func rounded(
    _ x: Tensor, _ rounding: LinearRounding, _ operand: LinearOperand, sumsOver axis: SumAxis,
  ) -> Tensor {
    guard let format = rounding.formats[operand] else { return x }
    if let known = lastRounded[operand], known.source === x.memory, known.format == format {
      maxima?.share(rounding.weight, operand, with: known.weight)
      return known.result
    }
    let choice = rounding.choice(format, operand, sumsOver: axis)
    let largest = maxima?.largest(of: x, rounding.weight, operand, on: self, measures: true)
    let result = quantizeDequantize(
      x, choice, largest: largest, signs: format.hadamard.map { signs($0, rounding) })
    roundingObserver?(
      RoundedOperandView(
        rounding: rounding, operand: operand, axis: axis, choice: choice, x: x, result: result,
        largest: largest))
    if operand == .fpropInput || operand == .wgradInput {
      lastRounded[operand] = RoundedOperand(
        source: x.memory, weight: rounding.weight, format: format, result: result)
    }
    return result
  }

  /// The gradient of an operand before it was rounded, by its estimator.
  ///
  /// - Parameters:
  ///   - gradient: That of the rounded one.
  ///   - x: The operand before it was rounded.
  func passed(
    _ gradient: Tensor, through x: Tensor, _ rounding: LinearRounding, _ operand: LinearOperand,
    sumsOver axis: SumAxis,
  ) -> Tensor {
    guard let format = rounding.formats[operand] else { return gradient }
    let choice = rounding.choice(format, operand, sumsOver: axis)
    var inputs = [x.detached, gradient]
    if choice.needsLargest {
      let known = maxima?.largest(of: x, rounding.weight, operand, on: self, measures: false)
      inputs.append(known ?? apply(LargestMagnitude(), [x.detached])[0])
    }
    return apply(RoundingGradient(choice, format.estimator), inputs)[0]
  }

  /// The signs of a transform: the same for both operands of a product, and on the device before a step where they are a
  /// model's.
  private func signs(_ size: Int, _ rounding: LinearRounding) -> Tensor {
    if let known = transformSigns[size] { return known }
    let signs = Tensor(rounding.signs(size), shape: [size], on: device)
    transformSigns[size] = signs
    return signs
  }
}

extension LinearRounding {
  /// An operand's format as it lies on a matrix, with its random bits.
  fileprivate func choice(
    _ format: OperandFormat, _ operand: LinearOperand, sumsOver axis: SumAxis,
  ) -> QuantizationChoice {
    let tile = axis == .columns ? format.block.tile : format.block.tile.transposed
    return QuantizationChoice(
      format.block.tiled(tile), randomness: format.isStochastic ? bits(operand) : nil,
      rotation: format.hadamard)
  }
}

/// An operand that may be asked for again by the next layer.
struct RoundedOperand {
  /// Kept alive, so that its place names no other tensor.
  let source: Memory
  /// Whose it was.
  let weight: String
  let format: OperandFormat
  let result: Tensor
}

/// An operand that was just rounded, for those who measure it.
struct RoundedOperandView {
  let rounding: LinearRounding
  let operand: LinearOperand
  let axis: SumAxis
  let choice: QuantizationChoice
  let x: Tensor
  let result: Tensor
  /// What a scale per tensor was made of; nil for x's own largest magnitude.
  var largest: Tensor?
  /// What spread the levels, where scales do not follow from the largest magnitude.
  var uniform: (quantizer: UniformQuantizer, scale: Tensor)?
}
