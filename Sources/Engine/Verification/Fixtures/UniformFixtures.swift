import Kernels
import NumberFormats

/// Quantizers of quantization-aware training.
enum UniformFixtures: FixtureAdapter {
  static let operations = ["lsq.quantize", "statsq.quantize"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let shape = try fixture.shape("input.values")
    guard shape.rank == 2, shape.count > 0 else { throw fixture.invalid("'input.values' is no matrix") }
    return fixture.operation == "lsq.quantize"
      ? try learned(fixture, shape, on: device) : try statistical(fixture, shape, on: device)
  }

  private static func learned(
    _ fixture: FixtureCase, _ shape: Shape, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let attributes = fixture.attributes
    guard try attributes.text("gradient_scale") == "1/sqrt(qmax*count)" else {
      throw FixtureError.unsupported("gradients of scales have the factor '1/sqrt(qmax*count)' alone")
    }
    let bits = try attributes.integer("bits", in: 2...8)
    let isSigned = try attributes.flag("signed")
    let quantizer = UniformQuantizer(
      isSigned ? .signed(bits: bits) : .unsigned(bits: bits),
      try attributes.flag("per_row") ? .row : .matrix)
    let computation = FixtureComputation(fixture, on: device)
    let x = try computation.input("values")
    let y = try computation.apply(QuantizeUniform(quantizer), [x, try computation.input("scale")])[0]
    let start = LinearPrecision.start(quantizer, rows: shape[0], columns: shape[1])
    let initial = computation.tape.apply(start, [x.detached])[0]
    return try computation.values(["values": y, "initial_scale": initial])
  }

  private static func statistical(
    _ fixture: FixtureCase, _ shape: Shape, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let quantizer = UniformQuantizer(
      .midRise(bits: try fixture.attributes.integer("bits", in: 2...8)), .row)
    let radius = Float(try fixture.attributes.number("boundary_range"))
    let computation = FixtureComputation(fixture, on: device)
    let x = try computation.input("values")
    let steps = computation.tape.statisticalScale(of: x, quantizer)
    let results: [QuantizeUniform.Result] = [.value, .nearThreshold(radius)]
    let found = try results.map {
      try computation.apply(QuantizeUniform(quantizer, result: $0), [x, steps])[0]
    }
    let scale = try computation.read(steps)
    var values = try computation.values(["values": found[0], "not_frozen": found[1]])
    // A scale reaches from zero to the grid's end.
    values["output.scale"] = FixtureValue(
      scale.shape, scale.values.map { $0 * -Double(quantizer.grid.smallest) })
    return values
  }
}
