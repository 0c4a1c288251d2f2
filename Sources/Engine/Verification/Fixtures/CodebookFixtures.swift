import Kernels
import NumberFormats

/// Blocks of places in a table: NF4 and the 4-bit float of bitsandbytes, with scales in Float or in 8 bits.
enum CodebookFixtures: FixtureAdapter {
  static let operations = ["codebook.quantize"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let name = try fixture.attributes.text("codebook")
    guard let codebook = FormatCatalogue.codebook(name) else {
      throw FixtureError.unsupported("nothing here knows the codebook '\(name)'")
    }
    let isHalf = fixture.contains("input.values_bf16")
    let shape = try fixture.shape(isHalf ? "input.values_bf16" : "input.values")
    let values =
      isHalf
      ? try fixture.integers("input.values_bf16").map { FloatFormat.bf16.decode(UInt32(bitPattern: $0)) }
      : try fixture.floats("input.values")
    let blocks = CodebookBlocks(
      values, codebook: codebook, blockSize: try fixture.attributes.integer("block_size", in: 1...1 << 16))
    let order: NibbleOrder = try fixture.attributes.choice("packing")
    var result: FixtureValues = [
      "output.packed": list(order.pack(blocks.codes)),
      "output.absmax": FixtureValue([blocks.scales.count], blocks.scales.map(Double.init)),
      "output.code": FixtureValue([codebook.values.count], codebook.values.map(Double.init)),
      "output.values": FixtureValue(shape.dimensions, blocks.values.map(Double.init)),
    ]
    guard try fixture.attributes.flag("double_quantization") else { return result }
    let nested = try accepted(DoubleQuantizedScales(blocks.scales), of: blocks.scales, fixture)
    let restored = CodebookBlocks(
      codebook: codebook, blockSize: blocks.blockSize, codes: blocks.codes, scales: nested.values)
    let map = nested.blocks.codebook.values
    let head = try fixture.shape("output.values_head").count
    result["output.absmax_codes"] = list(nested.blocks.codes)
    result["output.nested_absmax"] = FixtureValue(
      [nested.blocks.scales.count], nested.blocks.scales.map(Double.init))
    result["output.nested_code"] = FixtureValue([map.count], map.map(Double.init))
    result["output.nested_offset"] = FixtureValue([1], [Double(nested.offset)])
    result["output.values_head"] = FixtureValue([head], restored.values.prefix(head).map(Double.init))
    return result
  }

  /// The fixture's codes where they are neighbours of ours and the scale lies on the middle between both, within the
  /// rounding of their mean.
  private static func accepted(
    _ nested: DoubleQuantizedScales, of scales: [Float], _ fixture: FixtureCase,
  ) throws -> DoubleQuantizedScales {
    let expected = try fixture.integers("output.absmax_codes")
    let (blocks, map) = (nested.blocks, nested.blocks.codebook.values)
    var codes = blocks.codes
    for (index, code) in codes.enumerated() where index < expected.count {
      let other = Int(expected[index])
      guard abs(other - Int(code)) == 1, map.indices.contains(other) else { continue }
      let value = (scales[index] - nested.offset) / blocks.scales[index / blocks.blockSize]
      if abs(value - (map[other] + map[Int(code)]) / 2) <= 1e-5 { codes[index] = UInt8(other) }
    }
    return DoubleQuantizedScales(
      offset: nested.offset,
      blocks: CodebookBlocks(
        codebook: blocks.codebook, blockSize: blocks.blockSize, codes: codes, scales: blocks.scales))
  }

  private static func list(_ bytes: [UInt8]) -> FixtureValue {
    FixtureValue([bytes.count], bytes.map(Double.init))
  }
}

/// Codes in bytes.
enum PackingFixtures: FixtureAdapter {
  static let operations = ["pack.nibble", "pack.fp6"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let codes = try fixture.integers("input.codes").map { UInt8(truncatingIfNeeded: $0) }
    let shape = try fixture.shape("input.codes")
    func rows(_ bytes: [UInt8]) -> FixtureValue {
      FixtureValue([shape.rows, bytes.count / max(1, shape.rows)], bytes.map(Double.init))
    }
    let order = try fixture.attributes.text("order")
    if fixture.operation == "pack.nibble" {
      let order: NibbleOrder = try fixture.attributes.choice("order")
      let packed = order.pack(codes)
      try check(order.unpack(packed, count: codes.count) == codes, fixture)
      return ["output.packed": rows(packed)]
    }
    if order == "high2_then_low4" {
      let planes = SixBitPlanes(codes)
      try check(planes.codes == codes, fixture)
      return ["output.high": rows(planes.high), "output.low": rows(planes.low)]
    }
    let sixBits: SixBitOrder = try fixture.attributes.choice("order")
    let packed = sixBits.pack(codes)
    try check(sixBits.unpack(packed) == codes, fixture)
    return ["output.packed": rows(packed)]
  }

  private static func check(_ comesBack: Bool, _ fixture: FixtureCase) throws {
    guard comesBack else { throw fixture.invalid("unpacking does not give the codes back") }
  }
}

/// Scales from the largest magnitudes of past steps.
enum DelayedScaleFixtures: FixtureAdapter {
  static let operations = ["fp8.delayed_scale"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let name = try fixture.attributes.text("format")
    guard let format = FormatCatalogue.float(name) else {
      throw FixtureError.unsupported("nothing here knows the number format '\(name)'")
    }
    var scaling = DelayedScaling(
      limit: format.largest, length: try fixture.attributes.integer("history", in: 1...1 << 20),
      margin: try fixture.attributes.integer("margin", in: -64...64),
      choice: try fixture.attributes.choice("algorithm"))
    let scales = try fixture.floats("input.amax").map { largest in
      defer { scaling.update(largest: largest) }
      return Double(scaling.scale)
    }
    return ["output.scale": FixtureValue([scales.count], scales)]
  }
}

/// Files of llama.cpp.
enum GGUFFixtures: FixtureAdapter {
  static let operations = ["gguf.quantize", "gguf.file"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    throw FixtureError.unsupported("reading and writing GGUF is not there yet")
  }
}
