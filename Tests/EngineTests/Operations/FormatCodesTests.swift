import Engine
import Glibc
import Kernels
import NumberFormats
import Testing

@Suite(.serialized, .exclusiveDevices)
struct FormatCodesTests {
  private let count = getenv("NIBBLE_LONG_TESTS") == nil ? 200_000 : 10_000_000

  /// Random patterns of 32 bits: all exponents, both signs, NaN among them.
  private func patterns(_ count: Int) -> [Float] {
    let bits = RoundingBits(seed: 77)
    return (0..<count).map { Float(bitPattern: bits.bits(UInt32($0))) }
  }

  /// Patterns whose exponents are those of the format, so that every code occurs.
  private func nearby(_ format: FloatFormat, _ count: Int) -> [Float] {
    let bits = RoundingBits(seed: 78)
    let lowest = format.grid.lowestExponent
    let span = min(254, (format.largest.bitPattern >> 23) + 2) - (lowest - min(lowest, 12))
    return (0..<count).map { index in
      let random = bits.bits(UInt32(index))
      let exponent = lowest - min(lowest, 12) + (random >> 23 & 0xFF) % span
      return Float(bitPattern: random & 0x807F_FFFF | exponent << 23)
    }
  }

  @Test(arguments: FormatCatalogue.floats)
  func allDevicesGiveTheSameCodes(format: FloatFormat) throws {
    let values = patterns(count / 2) + nearby(format, count / 2)
    for operation in [
      EncodeFormat(format), EncodeFormat(format, overflow: .ieee),
      EncodeFormat(format, randomness: RoundingBits(seed: 5)),
    ] {
      let expected = values.enumerated().map { index, value in
        Int32(
          bitPattern: format.encode(
            value, operation.randomness?.rounding(index) ?? .nearestEven, overflow: operation.overflow))
      }
      for device in try TestDevices.all() {
        let tape = Tape(on: device, isRecording: false)
        let codes = tape.apply(operation, [Tensor(values, shape: [values.count], on: device)])[0]
        #expect(try device.read(codes.memory, as: Int32.self) == expected)
        let decoded = try tape.apply(DecodeFormat(format), [codes])[0].floats(on: device)
        let wrong = zip(decoded, expected).first { value, code in
          let want = format.decode(UInt32(bitPattern: code))
          return value.bitPattern != want.bitPattern && !(value.isNaN && want.isNaN)
        }
        #expect(wrong == nil)
      }
    }
  }

  @Test(arguments: FormatCatalogue.blocks)
  func allDevicesQuantizeAlike(format: BlockFormat) throws {
    let (rows, columns) = (96, 1040)
    // Exponents from 2^-60 to 2^60 in rows, near to one another within a row.
    let bits = RoundingBits(seed: 79)
    let values = (0..<rows * columns).map { index -> Float in
      let random = bits.bits(UInt32(index))
      let exponent = UInt32(67 + index / columns * 120 / rows) + (random >> 23 & 0xFF) % 8
      return Float(bitPattern: random & 0x807F_FFFF | exponent << 23)
    }
    for choice in [
      QuantizationChoice(format), QuantizationChoice(format, randomness: RoundingBits(seed: 6)),
    ] {
      let expected = format.quantize(values, rows: rows, columns: columns) {
        choice.randomness?.rounding($0) ?? .nearestEven
      }.values
      for device in try TestDevices.all() {
        let tape = Tape(on: device, isRecording: false)
        let x = Tensor(values, shape: [rows, columns], on: device)
        let got = try tape.quantizeDequantize(x, choice).floats(on: device)
        #expect(got.map(\.bitPattern) == expected.map(\.bitPattern))
      }
    }
  }

  @Test func transformedOperandsHaveTheSameProduct() throws {
    let signs = HadamardTransform.signs(size: 32, seed: 9)
    let random = CounterRandom(seed: 3)
    let (a, b) = (random.normals(32, deviation: 1), random.normals(64, deviation: 1).suffix(32))
    var (turned, other) = (a, Array(b))
    HadamardTransform(size: 32, signs: signs).apply(to: &turned)
    HadamardTransform(size: 32, signs: signs).apply(to: &other)
    let product = zip(a, b).reduce(0.0) { $0 + Double($1.0 * $1.1) }
    let same = zip(turned, other).reduce(0.0) { $0 + Double($1.0 * $1.1) }
    #expect(abs(product - same) < 1e-5)
    // Other signs for one of them destroy the product.
    var wrong = Array(b)
    HadamardTransform(size: 32, signs: HadamardTransform.signs(size: 32, seed: 10)).apply(to: &wrong)
    #expect(abs(product - zip(turned, wrong).reduce(0.0) { $0 + Double($1.0 * $1.1) }) > 0.1)
  }

  @Test func badChoicesAreRefused() {
    let x = TensorType([6, 40], .float32)
    let signs = TensorType([32], .float32)
    #expect(throws: ShapeError.self) {
      try QuantizeDequantize(QuantizationChoice(.mxfp4, rotation: 32)).outputTypes(for: [x, signs])
    }
    #expect(throws: ShapeError.self) {
      try QuantizeDequantize(QuantizationChoice(.mxfp4, rotation: 20)).outputTypes(for: [x, signs])
    }
    #expect(throws: ShapeError.self) {
      try QuantizeDequantize(QuantizationChoice(.bf16Values.tiled(.alongRow(4)))).outputTypes(for: [x])
    }
    #expect(throws: ShapeError.self) {
      try QuantizeDequantize(QuantizationChoice(.nvfp4)).outputTypes(for: [x])
    }
  }
}
