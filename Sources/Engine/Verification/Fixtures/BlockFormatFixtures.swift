import Files
import Kernels
import NumberFormats

/// Blocks with a common scale: microscaling, NVFP4 and its relatives, tiles of FP8.
enum BlockFormatFixtures: FixtureAdapter {
  static let operations = ["block.quantize"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let format = try format(fixture)
    let (values, shape) = try input(fixture)
    let (rows, columns) = (shape.rows, shape.last)
    let matrix = try quantize(values, format, rows: rows, columns: columns, on: device)
    let tiles = format.tile.grid(rows: rows, columns: columns)
    let kept = try fixture.attributes.integer("output_rows", in: 1...rows, default: rows)
    let codes = matrix.codes.prefix(kept * columns).map { code(format.element, $0) }
    var result: FixtureValues = [
      "output.values": FixtureValue(shape.dimensions, matrix.values.map(Double.init)),
      "output.codes": FixtureValue([kept, columns], codes),
    ]
    if case .float32 = format.scaling {
      result["output.decode_scales"] = FixtureValue(
        [tiles.rows, tiles.columns], matrix.scales.map(Double.init))
    } else {
      result["output.scales"] = FixtureValue(
        [tiles.rows, tiles.columns], matrix.scales.map { scaleCode(format.scaling, $0) })
    }
    if let tensor = matrix.tensorScale {
      result["output.tensor_scale"] = FixtureValue([1], [Double(tensor.decode)])
    }
    if fixture.contains("output.packed") {
      let order: NibbleOrder = try fixture.attributes.choice("packing")
      let packed = order.pack(matrix.codes.map { UInt8($0) })
      result["output.packed"] = FixtureValue([rows, columns / 2], packed.map(Double.init))
    }
    return result
  }

  /// Values, codes, scales and the tensor's scale as the device makes them.
  static func quantize(
    _ values: [Float], _ format: BlockFormat, rows: Int, columns: Int, on device: any OperationDevice,
  ) throws -> QuantizedMatrix {
    let choice = QuantizationChoice(format)
    let operation = QuantizeBlocks(choice, rows: rows, columns: columns)
    let tape = Tape(on: device, isRecording: false)
    var inputs = [Tensor(values, shape: [rows, columns], on: device)]
    var tensorScale: TensorScale?
    if choice.needsLargest {
      inputs += tape.apply(LargestMagnitude(), inputs)
      tensorScale = format.tensorScale(largest: try inputs[1].floats(on: device)[0])
    }
    _ = try operation.outputTypes(for: inputs.map(\.type))
    let outputs = tape.apply(operation, inputs)
    let mask: UInt32 = 1 << UInt32(format.element.bitCount) - 1
    return QuantizedMatrix(
      rows: rows, columns: columns,
      codes: try device.read(outputs[1].memory, as: Int32.self).map { UInt32(bitPattern: $0) & mask },
      scales: try outputs[2].floats(on: device), tensorScale: tensorScale,
      values: try outputs[0].floats(on: device))
  }

  private static func input(_ fixture: FixtureCase) throws -> ([Float], Shape) {
    guard fixture.contains("input.values_bf16") else {
      return (try fixture.floats("input.values"), try fixture.shape("input.values"))
    }
    let bits = try fixture.integers("input.values_bf16")
    return (
      bits.map { FloatFormat.bf16.decode(UInt32(bitPattern: $0)) }, try fixture.shape("input.values_bf16")
    )
  }

  private static func code(_ element: ElementFormat, _ code: UInt32) -> Double {
    guard case .integer(let format) = element else { return Double(code) }
    return Double(element.decode(code)) * Double(1 << format.fractionBits)
  }

  private static func scaleCode(_ scaling: BlockScaling, _ stored: Float) -> Double {
    if case .float(let format, _) = scaling { return Double(format.encode(stored)) }
    return Double(ExponentScale.encode(stored, .floor))
  }

  private static func format(_ fixture: FixtureCase) throws -> BlockFormat {
    let attributes = fixture.attributes
    let name = try attributes.text("element")
    guard let element = FormatCatalogue.element(name) else {
      throw FixtureError.unsupported("nothing here knows the number format '\(name)'")
    }
    guard try attributes.text("rounding") == "nearest_even" else {
      throw FixtureError.unsupported("blocks are rounded to nearest even or stochastically")
    }
    let isTwoLevel = try attributes.text("tensor_scale", default: "none") != "none"
    return BlockFormat(
      name: try attributes.text("format"), element: element, tile: try tile(fixture),
      scaling: try scaling(fixture), tensorTarget: isTwoLevel ? FloatFormat.ue4M3.largest : nil)
  }

  private static func tile(_ fixture: FixtureCase) throws -> Tile {
    guard let shape = fixture.attributes.object["block_shape"]?.arrayValue else {
      return .alongRow(try fixture.attributes.integer("block_size", in: 1...1 << 16))
    }
    let sides = shape.compactMap { $0.integerValue }
    guard sides.count == 2, sides.allSatisfy({ $0 > 0 }) else {
      throw fixture.invalid("'block_shape' is not [rows, columns]")
    }
    return Tile(rows: sides[0], columns: sides[1])
  }

  private static func scaling(_ fixture: FixtureCase) throws -> BlockScaling {
    let rule = try fixture.attributes.text("scale_rule")
    let name = try fixture.attributes.text("scale_format")
    if name == "fp32" { return .float32(isPowerOfTwo: rule.contains("power of two")) }
    if name == ExponentScale.name, let rule = ExponentRule(rawValue: rule) { return .powerOfTwo(rule) }
    switch name {
    case "fp8_e4m3fn": return .float(.ue4M3, zeroIsOne: false)
    case "ue5m3": return .float(.ue5M3, zeroIsOne: true)
    default: throw FixtureError.unsupported("nothing here scales blocks by '\(name)' and '\(rule)'")
    }
  }
}
