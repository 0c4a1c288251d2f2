import Kernels
import NumberFormats

/// Linear layers whose products are rounded, the transform in front of it, and what is measured of their operands.
enum RoundedLinearFixtures: FixtureAdapter {
  static let operations = ["linear.quantized", "hadamard.transform", "metric.excess_kurtosis"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    switch fixture.operation {
    case "linear.quantized": try linear(fixture, on: device)
    case "hadamard.transform": try transform(fixture, on: device)
    default: try kurtosis(fixture)
    }
  }

  private static func linear(_ fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let name = try fixture.attributes.text("format")
    guard let block = FormatCatalogue.block(name) else {
      throw FixtureError.unsupported("nothing here knows the block format '\(name)'")
    }
    let rule: ExponentRule = try fixture.attributes.choice("scale_rule")
    let length = try fixture.attributes.integer("block_size", in: 1...1 << 20)
    let operand = OperandFormat(block.scaled(.powerOfTwo(rule)).tiled(.alongRow(length)))
    var formats = LinearFormats()
    (formats.fpropInput, formats.fpropWeight) = (operand, operand)
    (formats.dgradCotangent, formats.dgradWeight) = (operand, .rounded(operand))
    var last = operand
    let isTransformed = fixture.contains("input.signs")
    if isTransformed { last.hadamard = try fixture.attributes.integer("hadamard_size", in: 1...128) }
    (formats.wgradCotangent, formats.wgradInput) = (last, .rounded(last))
    let rounding = LinearRounding(
      formats: formats, seed: 1, givenSigns: isTransformed ? try fixture.floats("input.signs") : nil)
    let y = computation.tape.roundedLinear(
      try computation.input("values"), weight: try computation.input("weight"), bias: nil, rounding,
      weightIsTransposed: false)
    return try computation.values(["values": y])
  }

  /// Values that keep 22 bits behind the leading one: the device's transform, and hardly any rounding.
  private static let fine = BlockFormat(
    name: "fine",
    element: .float(
      FloatFormat(
        name: "fine", exponentBits: 5, mantissaBits: 22, bias: 15, largestCode: 0x7FF_FFFF, topCodes: .none)),
    tile: .alongRow(16), scaling: .powerOfTwo(.floor))

  private static func transform(_ fixture: FixtureCase, on device: any OperationDevice) throws
    -> FixtureValues
  {
    let size = try fixture.attributes.integer("n", in: 1...1 << 16)
    guard !fixture.contains("input.base") else { return try transformWithBase(fixture, size: size) }
    let x = try fixture.tensor("input.values", on: device)
    let signs =
      fixture.contains("input.signs")
      ? try fixture.tensor("input.signs", on: device)
      : Tensor([Float](repeating: 1, count: size), shape: [size], on: device)
    let tape = Tape(on: device, isRecording: false)
    let choice = QuantizationChoice(fine, rotation: size)
    let y = tape.quantizeDequantize(x, choice, signs: signs)
    return ["output.values": FixtureValue(y.shape.dimensions, try y.floats(on: device).map(Double.init))]
  }

  private static func transformWithBase(_ fixture: FixtureCase, size: Int) throws -> FixtureValues {
    let base = try fixture.floats("input.base")
    let shape = try fixture.shape("input.values")
    let transform = KroneckerHadamard(base: base, size: size)
    let rows = try fixture.floats("input.values")
    let values = stride(from: 0, to: rows.count, by: size).flatMap { transform(Array(rows[$0..<$0 + size])) }
    return ["output.values": FixtureValue(shape.dimensions, values.map(Double.init))]
  }

  private static func kurtosis(_ fixture: FixtureCase) throws -> FixtureValues {
    let values = try fixture.floats("input.values")
    let columns = try fixture.shape("input.values").last
    return [
      "output.published": FixtureValue([1], [ExcessKurtosis.published(values, columns: columns)]),
      "output.centered": FixtureValue([1], [ExcessKurtosis.centered(values, columns: columns)]),
    ]
  }
}
