import Kernels
import NumberFormats

/// The learned scales of a product's operands in the forward, with their gradients; nil where there are none.
struct LearnedOperandScales {
  var input: Tensor?
  var weight: Tensor?
}

extension OperandFormat {
  /// How learned and statistical scales round; nil for those that follow from the largest magnitude.
  var uniformQuantizer: UniformQuantizer? {
    guard let grid = uniformGrid, let groups = ScaleGroups(block.tile) else { return nil }
    return UniformQuantizer(grid, groups)
  }
}

extension Tape {
  /// A weight rounded under learned or statistical scales; nil where its format has others.
  ///
  /// - Parameters:
  ///   - weight: [out, in], or [in, out] where it is transposed.
  ///   - scale: The learned one.
  func uniformWeight(
    _ weight: Tensor, _ rounding: LinearRounding, scale: Tensor?, isTransposed: Bool,
  ) -> Tensor? {
    guard let format = rounding.formats.fpropWeight, let quantizer = format.uniformQuantizer else {
      return nil
    }
    // Groups lie along the sum: rows of [out, in].
    let source = scale == nil ? weight.detached : weight
    // Levels times scales are no BF16 values.
    return inSinglePrecision {
      let rows = isTransposed ? transposed(source) : source
      let result =
        scale.map { learned(rows, rounding, .fpropWeight, scale: $0) }
        ?? statistical(rows, rounding, quantizer)
      return isTransposed ? transposed(result) : result
    }
  }

  /// An operand rounded under its learned scale, with gradients for both.
  func learned(_ x: Tensor, _ rounding: LinearRounding, _ operand: LinearOperand, scale: Tensor) -> Tensor {
    guard let quantizer = rounding.formats[operand]?.uniformQuantizer else {
      preconditionFailure("\(operand) has no learned scale")
    }
    let result = apply(QuantizeUniform(quantizer), [x, scale])[0]
    observe(x, result, rounding, operand, quantizer, scale)
    return result
  }

  private func statistical(_ weight: Tensor, _ rounding: LinearRounding, _ quantizer: UniformQuantizer)
    -> Tensor
  {
    let scale = statisticalScale(of: weight, quantizer)
    let result = apply(QuantizeUniform(quantizer), [weight, scale])[0]
    observe(weight, result, rounding, .fpropWeight, quantizer, scale)
    return result
  }

  /// The distance between two levels of a mid-rise grid: twice the mean magnitude reaches to its end.
  func statisticalScale(of weight: Tensor, _ quantizer: UniformQuantizer) -> Tensor {
    let steps = MeanMagnitude(
      quantizer.groups, factor: -2 / Double(quantizer.grid.smallest), rows: weight.shape[0],
      columns: weight.shape[1])
    return apply(steps, [weight.detached])[0]
  }

  private func observe(
    _ x: Tensor, _ result: Tensor, _ rounding: LinearRounding, _ operand: LinearOperand,
    _ quantizer: UniformQuantizer, _ scale: Tensor,
  ) {
    guard let roundingObserver, let format = rounding.formats[operand] else { return }
    roundingObserver(
      RoundedOperandView(
        rounding: rounding, operand: operand, axis: .columns, choice: QuantizationChoice(format.block),
        x: x.detached, result: result.detached, uniform: (quantizer, scale.detached)))
  }

  /// A matrix with rows and columns exchanged.
  func transposed(_ x: Tensor) -> Tensor {
    let (rows, columns) = (x.shape[0], x.shape[1])
    return apply(SwapAxes(), [x.reshaped(to: [1, rows, columns, 1])])[0].reshaped(to: [columns, rows])
  }
}
