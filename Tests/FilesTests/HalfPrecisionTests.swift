import Testing

@testable import Files

@Suite struct HalfPrecisionTests {
  @Test func everyFloat16PatternDecodesAndReturns() {
    for bits in UInt16.min...UInt16.max {
      let value = HalfPrecision.float(float16: bits)
      let exponent = Int(bits >> 10 & 0x1F)
      let fraction = Float(bits & 0x3FF)
      let sign: Float = bits >> 15 == 1 ? -1 : 1
      switch exponent {
      case 31 where fraction == 0: #expect(value == sign * .infinity)
      case 31: #expect(value.isNaN && HalfPrecision.float(float16: HalfPrecision.float16(value)).isNaN)
      case 0: #expect(value == sign * fraction * 0x1p-24)
      default:
        #expect(value == sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024))
      }
      if !value.isNaN { #expect(HalfPrecision.float16(value) == bits) }
    }
  }

  @Test func roundsToNearestEvenBetweenAllNeighbours() {
    for bits in UInt16(0)..<0x7C00 {
      let low = HalfPrecision.float(float16: bits)
      // Beyond the largest finite value the next step would be 65536.
      let high = bits == 0x7BFF ? 65_536 : HalfPrecision.float(float16: bits + 1)
      let middle = (low + high) / 2
      #expect(HalfPrecision.float16(middle) == (bits & 1 == 0 ? bits : bits + 1))
      #expect(HalfPrecision.float16(middle.nextDown) == bits)
      #expect(HalfPrecision.float16(middle.nextUp) == bits + 1)
      #expect(HalfPrecision.float16(-middle.nextUp) == (bits + 1) | 0x8000)
    }
    for bits in UInt16(0)..<0x7F80 {
      let low = HalfPrecision.float(bfloat16: bits)
      let middle = Float(bitPattern: low.bitPattern | 0x8000)
      #expect(HalfPrecision.bfloat16(middle) == (bits & 1 == 0 ? bits : bits + 1))
      #expect(HalfPrecision.bfloat16(middle.nextDown) == bits)
      #expect(HalfPrecision.bfloat16(middle.nextUp) == bits + 1)
    }
  }

  @Test func keepsSpecialValues() {
    #expect(HalfPrecision.float16(.infinity) == 0x7C00)
    #expect(HalfPrecision.float16(-.infinity) == 0xFC00)
    #expect(HalfPrecision.float16(65_519.996) == 0x7BFF)
    #expect(HalfPrecision.float16(65_520) == 0x7C00)
    #expect(HalfPrecision.float16(.greatestFiniteMagnitude) == 0x7C00)
    #expect(HalfPrecision.float16(-0.0) == 0x8000)
    #expect(HalfPrecision.float16(.leastNonzeroMagnitude) == 0)
    #expect(HalfPrecision.bfloat16(.infinity) == 0x7F80)
    #expect(HalfPrecision.bfloat16(.greatestFiniteMagnitude) == 0x7F80)
    #expect(HalfPrecision.bfloat16(-0.0) == 0x8000)
    for pattern in [0x7F80_0001, 0x7FFF_FFFF, 0xFF80_0001, 0xFFC0_0000, 0x7FC0_1234] as [UInt32] {
      let value = Float(bitPattern: pattern)
      #expect(HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(value)).isNaN)
      #expect(HalfPrecision.float(float16: HalfPrecision.float16(value)).isNaN)
    }
  }
}
