/// A linear layer: `activation(x w^T + bias)`, with the adapter that stands beside its weight.
struct Linear {
  let weight: Parameter
  let bias: Parameter?
  /// The weight is stored [in, out], as in GPT-2.
  let isTransposed: Bool

  init(weight: Parameter, bias: Parameter? = nil, isTransposed: Bool = false) {
    self.weight = weight
    self.bias = bias
    self.isTransposed = isTransposed
    weight.linearLayout = isTransposed ? .inOut : .outIn
  }

  func callAsFunction(_ x: Tensor, _ tape: Tape, activation: Activation? = nil) -> Tensor {
    guard let adapter = weight.adapter else { return product(x, tape, activation: activation) }
    let y = adapter.add(to: product(x, tape, activation: nil), x, tape)
    return activation.map { tape.activation($0, y) } ?? y
  }

  /// The product with the weight itself, its operands rounded where a model's precision says so.
  private func product(_ x: Tensor, _ tape: Tape, activation: Activation?) -> Tensor {
    let bias = bias.map { tape.parameter($0) }
    if let packed = weight.packed {
      let y = tape.packedLinear(x, packed, bias: bias, weightIsTransposed: isTransposed)
      return activation.map { tape.activation($0, y) } ?? y
    }
    guard let precision = weight.precision, let rounding = precision.rounding else {
      return tape.linear(
        x, weight: tape.parameter(weight), bias: bias, activation: activation,
        weightIsTransposed: isTransposed)
    }
    tape.transformSigns = precision.transformSigns
    tape.maxima = precision.maxima
    let y = tape.roundedLinear(
      x, weight: tape.parameter(weight), bias: bias, rounding, weightIsTransposed: isTransposed,
      scales: precision.scales(for: x, tape))
    return activation.map { tape.activation($0, y) } ?? y
  }
}
