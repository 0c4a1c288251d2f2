import Terminal
import Testing

@Suite struct NumbersTests {
  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (-32_768, "-32,768"), (Int.min, "-9,223,372,036,854,775,808"),
  ])
  func groupsThousands(_ value: Int, _ text: String) {
    #expect(Numbers.grouped(value) == text)
  }

  @Test(arguments: [
    (0, "0"), (4.8123, "4.81"), (31.24, "31.2"), (629.4, "629"), (9.996, "10.0"), (99.96, "100"),
    (0.084, "0.0840"),
    (1234.6, "1,235"), (0.0003, "3.00e-04"), (-0.5, "-0.500"), (Double.nan, "nan"),
    (-Double.infinity, "-inf"),
    (1e300, "1.00e+300"), (0.9999, "1.00"), (0.001, "0.00100"), (0.01, "0.0100"), (0.1, "0.100"),
    (1e8, "100,000,000"), (1e15, "1.00e+15"), (1e-300, "1.00e-300"),
  ])
  func keepsThreeSignificantDigits(_ value: Double, _ text: String) {
    #expect(Numbers.significant(value) == text)
  }

  @Test(arguments: [
    (14.2e6, "14.2 M"), (999.7, "1.00 k"), (999, "999"), (61.04e9, "61.0 G"), (0, "0"), (1_500, "1.50 k"),
    (-2e3, "-2.00 k"),
  ])
  func usesSIPrefixes(_ value: Double, _ text: String) {
    #expect(Numbers.si(value) == text)
  }

  @Test(arguments: [
    (512, "512 B"), (1024, "1.00 KiB"), (2_040_109_466, "1.90 GiB"), (24_051_816_858, "22.4 GiB"),
  ])
  func usesBinaryPrefixes(_ count: Int, _ text: String) {
    #expect(Numbers.bytes(count) == text)
  }

  @Test(arguments: [
    (0.0, "0 s"), (2.5e-6, "2.50 us"), (0.84, "840 ms"), (8.44, "8.4 s"), (52, "52 s"), (59.7, "1 m 00 s"),
    (725, "12 m 05 s"),
    (7380, "2 h 03 m"), (3599.6, "1 h 00 m"), (100_800, "1 d 04 h"), (86_399, "1 d 00 h"),
    (Double.nan, "nan"),
  ])
  func writesDurationsInTwoUnits(_ seconds: Double, _ text: String) {
    #expect(Numbers.duration(seconds) == text)
  }

  @Test func writesFixedAndScientific() {
    #expect(Numbers.fixed(4.8125, decimals: 3) == "4.813")
    #expect(Numbers.fixed(-0.0004, decimals: 3) == "0.000")
    #expect(Numbers.fixed(0.9996, decimals: 3) == "1.000")
    #expect(Numbers.fixed(7, decimals: 0) == "7")
    #expect(Numbers.scientific(3e-4) == "3.0e-04")
    #expect(Numbers.scientific(9.99e-4) == "1.0e-03")
    #expect(Numbers.scientific(.leastNonzeroMagnitude) != "")
    #expect(Numbers.percent(0.884) == "88 %")
    #expect(Numbers.percent(0.0312) == "3.1 %")
  }
}
