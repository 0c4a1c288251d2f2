import NumberFormats

/// The definition of a quantization on plain values, in single precision whatever the scalar: the bits are the result.
struct QuantizationReference {
  let matrix: QuantizedMatrix

  init<Scalar: ReferenceScalar>(_ choice: QuantizationChoice, _ inputs: [ReferenceTensor<Scalar>]) {
    let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1])
    var values = inputs[0].values.map { Float($0) }
    if let rotation = choice.rotation {
      let signs = (inputs.last?.values ?? []).map { Float($0) }
      HadamardTransform(size: rotation, signs: signs).apply(
        to: &values, rows: rows, columns: columns, downColumns: choice.isDownColumns)
    }
    let bits = choice.randomness
    matrix = choice.format.quantize(
      values, rows: rows, columns: columns, largest: choice.needsLargest ? Float(inputs[1][0]) : nil
    ) { bits?.rounding($0) ?? .nearestEven }
  }
}
