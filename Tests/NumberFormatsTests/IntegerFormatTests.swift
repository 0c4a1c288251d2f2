import NumberFormats
import Testing

@Suite struct IntegerFormatTests {
  @Test(arguments: FormatCatalogue.integers)
  func codesComeBackAndEndsSaturate(format: IntegerFormat) {
    for code in format.smallestCode...format.largestCode {
      #expect(format.encode(format.decode(code)) == code)
      let element = ElementFormat.integer(format)
      #expect(element.decode(element.encode(format.decode(code))) == format.decode(code))
    }
    #expect(format.encode(1e9) == format.largestCode && format.encode(-.infinity) == format.smallestCode)
    let quantum = format.decode(1)
    for code in format.smallestCode..<format.largestCode {
      let middle = format.decode(code) + quantum / 2
      #expect(format.encode(middle) == (code % 2 == 0 ? code : code + 1))
    }
  }

  @Test func rangesAreThoseOfTheDefinition() {
    #expect(IntegerFormat.int4.scaleDivisor == 7.5 && IntegerFormat.int4Restricted.scaleDivisor == 7)
    #expect(IntegerFormat.int4.smallestCode == -8 && IntegerFormat.int4Restricted.smallestCode == -7)
    #expect(IntegerFormat.int8Fraction6.largest == 127 / 64 as Float)
    #expect(IntegerFormat.int2.encode(-1.6) == -2 && IntegerFormat.int2.encode(1.6) == 1)
  }
}
