import Kernels
import NumberFormats

/// Groups of integers along rows, with and without a zero point.
enum IntegerGroupFixtures: FixtureAdapter {
  static let operations = ["group.quantize"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let attributes = fixture.attributes
    let values = try fixture.floats("input.values")
    let shape = try fixture.shape("input.values")
    let bits = try attributes.integer("bits", in: 2...8)
    let size = try attributes.integer("group_size", in: -1...1 << 20)
    let groupSize = size < 1 ? shape.last : size
    let quantized =
      try attributes.flag("symmetric")
      ? try symmetric(fixture, values, shape, bits: bits, groupSize: groupSize, on: device)
      : try affine(fixture, values, shape, bits: bits, groupSize: groupSize)
    let groups = (shape.last + groupSize - 1) / groupSize
    var (codes, results) = (quantized.codes, quantized.values)
    // On the middle between two codes, within the rounding of the scale, either is right.
    let expected = try fixture.value("output.codes").values
    for index in codes.indices where index < expected.count && abs(codes[index] - expected[index]) == 1 {
      let group = index / shape.last * groups + index % shape.last / groupSize
      let exact = Double(values[index]) / quantized.scales[group]
      guard abs(exact - exact.rounded(.down) - 0.5) <= 1e-5 else { continue }
      results[index] += (expected[index] - codes[index]) * quantized.scales[group]
      codes[index] = expected[index]
    }
    var result: FixtureValues = [
      "output.codes": FixtureValue(shape.dimensions, codes),
      "output.values": FixtureValue(shape.dimensions, results),
      "output.scales": FixtureValue([shape.rows, groups], quantized.scales),
    ]
    if let zeros = quantized.zeros { result["output.zeros"] = FixtureValue([shape.rows, groups], zeros) }
    return result
  }

  private struct Quantized {
    let codes: [Double]
    let values: [Double]
    let scales: [Double]
    let zeros: [Double]?
  }

  private static func symmetric(
    _ fixture: FixtureCase, _ values: [Float], _ shape: Shape, bits: Int, groupSize: Int,
    on device: any OperationDevice,
  ) throws -> Quantized {
    let restricted = try fixture.attributes.text("scale_rule") == "restricted"
    guard let format = FormatCatalogue.integer("int\(bits)\(restricted ? "_restricted" : "")") else {
      throw FixtureError.unsupported("nothing here has integers of \(bits) bits")
    }
    let block = BlockFormat(
      name: format.name, element: .integer(format), tile: .alongRow(groupSize),
      scaling: .float32(isPowerOfTwo: false))
    let matrix = try BlockFormatFixtures.quantize(
      values, block, rows: shape.rows, columns: shape.last, on: device)
    return Quantized(
      codes: matrix.codes.map { Double(block.element.decode($0)) }, values: matrix.values.map(Double.init),
      scales: matrix.scales.map(Double.init), zeros: nil)
  }

  private static func affine(
    _ fixture: FixtureCase, _ values: [Float], _ shape: Shape, bits: Int, groupSize: Int,
  ) throws -> Quantized {
    let includesZero = try fixture.attributes.flag("range_includes_zero")
    let groups = AffineGroups(
      values, rows: shape.rows, columns: shape.last, bits: bits, groupSize: groupSize,
      span: includesZero ? .zeroIncluded : .minimumToMaximum)
    return Quantized(
      codes: groups.codes.map(Double.init), values: groups.values.map(Double.init),
      scales: groups.scales.map(Double.init), zeros: groups.zeros.map(Double.init))
  }
}
