import Files
import Kernels

/// Training on top of frozen or quantized weights.
enum AdapterFixtures: FixtureAdapter {
  static let operations = ["lora_ga.initialize", "qzo.update"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    fixture.operation == "qzo.update" ? try update(fixture) : try initialization(fixture)
  }

  private static func initialization(_ fixture: FixtureCase) throws -> FixtureValues {
    guard try fixture.attributes.text("direction") == "ArB2r" else {
      throw FixtureError.unsupported("adapters start along the directions 'ArB2r' alone")
    }
    let shape = try fixture.shape("input.gradient")
    guard shape.rank == 2, shape.count > 0 else { throw fixture.invalid("'input.gradient' is no matrix") }
    let rank = try fixture.attributes.integer("rank", in: 1...max(1, min(shape[0], shape[1]) / 2))
    let (out, input) = (shape[0], shape[1])
    let factors = GradientInitialization.factors(
      of: try fixture.floats("input.gradient"), out: out, input: input, rank: rank,
      gamma: try fixture.attributes.number("gamma", default: GradientInitialization.gamma))
    let (a, b) = (factors.a.map(Double.init), factors.b.map(Double.init))
    let gramA = (0..<input * input).map { index in
      (0..<rank).reduce(0.0) { $0 + a[$1 * input + index / input] * a[$1 * input + index % input] }
    }
    let gramB = (0..<out * out).map { index in
      (0..<rank).reduce(0.0) { $0 + b[index / out * rank + $1] * b[index % out * rank + $1] }
    }
    return [
      "output.gram_a": FixtureValue([input, input], gramA), "output.gram_b": FixtureValue([out, out], gramB),
    ]
  }

  private static func update(_ fixture: FixtureCase) throws -> FixtureValues {
    let attributes = fixture.attributes
    let update = ZerothOrderUpdate(
      epsilon: try attributes.number("epsilon", default: 1e-3),
      clip: try attributes.number("clip", default: 100),
      learningRate: try attributes.number("learning_rate", default: 1e-6),
      minimumScale: try attributes.number("minimum_scale", default: 1e-7))
    let (plus, minus) = (try fixture.floats("input.loss_plus"), try fixture.floats("input.loss_minus"))
    guard plus.count == 1, minus.count == 1 else {
      throw fixture.invalid("its losses are not one number each")
    }
    let slope = update.slope(lossPlus: Double(plus[0]), lossMinus: Double(minus[0]))
    let scales = update(
      try fixture.floats("input.scales"), direction: try fixture.floats("input.direction"), slope: slope)
    return [
      "output.directional_derivative": FixtureValue(try fixture.shape("input.loss_plus").dimensions, [slope]),
      "output.scales": FixtureValue(try fixture.shape("input.scales").dimensions, scales.map(Double.init)),
    ]
  }
}
