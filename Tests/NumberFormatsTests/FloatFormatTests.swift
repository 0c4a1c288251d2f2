import NumberFormats
import Testing

@Suite struct FloatFormatTests {
  /// Decoding by the definition, in double precision.
  private func definition(_ format: FloatFormat, _ code: UInt32) -> Double {
    let fields = code & (1 << format.magnitudeBits - 1)
    let (exponent, mantissa) = (Int(fields >> format.mantissaBits), fields & (1 << format.mantissaBits - 1))
    let steps = Double(mantissa) / Double(1 << format.mantissaBits)
    let bias = Int(format.bias)
    let magnitude =
      exponent == 0
      ? Double(sign: .plus, exponent: 1 - bias, significand: 1) * steps
      : Double(sign: .plus, exponent: exponent - bias, significand: 1) * (1 + steps)
    return format.isSigned && code >> format.magnitudeBits & 1 == 1 ? -magnitude : magnitude
  }

  @Test(arguments: FormatCatalogue.floats)
  func everyCodeIsDecodedByTheDefinition(format: FloatFormat) {
    for code in 0..<UInt32(1) << format.bitCount {
      let value = format.decode(code)
      let magnitude = code & (1 << format.magnitudeBits - 1)
      if magnitude > format.largestCode {
        #expect(magnitude == format.infinityCode ? value.isInfinite : value.isNaN)
        continue
      }
      let expected = definition(format, code)
      #expect(Double(value) == expected && value.sign == (expected.sign))
      for rounding in [Rounding.nearestEven, .nearestAway, .stochastic(0), .stochastic(.max)] {
        #expect(format.encode(value, rounding, overflow: .ieee) == code)
      }
    }
  }

  @Test(arguments: FormatCatalogue.floats)
  func middlesAndTheirNeighboursRoundAsTheyShould(format: FloatFormat) {
    for code in 0..<format.largestCode {
      let middle = (format.decode(code) + format.decode(code + 1)) / 2
      // Between two subnormals of a Float's own grid there is no middle.
      guard Double(middle) * 2 == Double(format.decode(code)) + Double(format.decode(code + 1)) else {
        continue
      }
      let even = code & 1 == 0 ? code : code + 1
      for sign in format.isSigned ? [0, 1] as [UInt32] : [0] {
        let signed = sign == 1 ? -middle : middle
        let bit = sign << format.magnitudeBits
        #expect(format.encode(signed) == even | bit)
        #expect(format.encode(signed, .nearestAway) == (code + 1) | bit)
        let (inner, outer) = (middle.nextDown, middle.nextUp)
        #expect(format.encode(sign == 1 ? -inner : inner) == code | bit)
        #expect(format.encode(sign == 1 ? -outer : outer) == (code + 1) | bit)
        #expect(format.encode(signed, .stochastic(0)) == code | bit)
        #expect(format.encode(signed, .stochastic(.max)) == (code + 1) | bit)
        #expect(format.encode(signed, .stochastic(0x7FFF_FFFF)) == code | bit)
        #expect(format.encode(signed, .stochastic(0x8000_0000)) == (code + 1) | bit)
      }
    }
  }

  @Test func overflowIsDecidedAfterRounding() {
    let format = FloatFormat.fp8E4M3
    #expect(format.encode(464) == 0x7E && format.encode(464, overflow: .ieee) == 0x7E)
    #expect(
      format.encode(Float(464).nextUp) == 0x7E && format.encode(Float(464).nextUp, overflow: .ieee) == 0x7F)
    #expect(format.encode(-.infinity) == 0xFE && format.encode(-.infinity, overflow: .ieee) == 0xFF)
    #expect(FloatFormat.fp8E5M2.encode(61_440, overflow: .ieee) == 0x7C)
    #expect(FloatFormat.fp8E5M2.encode(Float(61_440).nextDown, overflow: .ieee) == 0x7B)
    #expect(FloatFormat.fp4E2M1.encode(.infinity, overflow: .ieee) == 7)
    #expect(FloatFormat.ue5M3.encode(1e9) == 0xF7 && FloatFormat.ue5M3.encode(-1) == 0)
    #expect(FloatFormat.fp8E4M3.encode(.nan) == 0x7F && FloatFormat.fp8E5M2.encode(-.nan) == 0xFE)
    #expect(FloatFormat.fp4E2M1.encode(-0.0) == 8 && FloatFormat.fp4E2M1.decode(8).sign == .minus)
  }

  @Test(arguments: [FloatFormat.fp8E4M3, .fp8E5M2, .fp6E2M3, .fp6E3M2, .fp4E2M1])
  func stochasticRoundingHasTheRightMean(format: FloatFormat) {
    let draws = 4096
    for (index, value) in ([0.3, -1.1, 0.26, 2.9, -5.2, 0.01, 3.0001, 1e-4] as [Float]).enumerated() {
      let bits = RoundingBits(seed: 5, step: 3, tensor: UInt64(index))
      let low = format.round(value, .stochastic(0))
      let step = format.round(value, .stochastic(.max)) - low
      let chance = step == 0 ? 0 : Double((value - low) / step)
      let mean = (0..<draws).reduce(0.0) { sum, draw in
        sum + (format.round(value, bits.rounding(draw)) == low ? 0 : 1)
      }
      let deviation = (chance * (1 - chance) / Double(draws)).squareRoot()
      #expect(abs(mean / Double(draws) - chance) <= 5 * deviation + 1e-9)
    }
  }

  @Test func namesAreUnique() {
    let names = FormatCatalogue.floats.map(\.name) + FormatCatalogue.integers.map(\.name)
    #expect(Set(names).count == names.count)
    let blocks = FormatCatalogue.blocks.map(\.name)
    #expect(Set(blocks).count == blocks.count)
    #expect(FormatCatalogue.element("fp4_e2m1") == .float(.fp4E2M1))
    #expect(FormatCatalogue.element("ue5m3") == nil && FormatCatalogue.block("mxfp4") == .mxfp4)
  }
}
