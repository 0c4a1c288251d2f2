/// A linear layer: `activation(x w^T + bias)`.
struct Linear {
  let weight: Parameter
  let bias: Parameter?
  /// The weight is stored [in, out], as in GPT-2.
  let isTransposed: Bool

  init(weight: Parameter, bias: Parameter? = nil, isTransposed: Bool = false) {
    self.weight = weight
    self.bias = bias
    self.isTransposed = isTransposed
  }

  func callAsFunction(_ x: Tensor, _ tape: Tape, activation: Activation? = nil) -> Tensor {
    let bias = bias.map { tape.parameter($0) }
    guard let precision = weight.precision, let rounding = precision.rounding else {
      return tape.linear(
        x, weight: tape.parameter(weight), bias: bias, activation: activation,
        weightIsTransposed: isTransposed)
    }
    tape.transformSigns = precision.transformSigns
    let y = tape.roundedLinear(
      x, weight: tape.parameter(weight), bias: bias, rounding, weightIsTransposed: isTransposed)
    return activation.map { tape.activation($0, y) } ?? y
  }
}
