import Testing

@testable import Engine

@Suite struct CounterRandomTests {
  /// Computed by a program of its own from the definition.
  @Test func valuesArePinned() {
    let zero = CounterRandom(seed: 0)
    #expect(
      [0, 1, 2, .max].map { zero.bits($0) } == [
        0x4821_8226_FF3C_D4BF, 0xA706_DD2F_4D19_7E6F,
        0xB382_A305_F441_4F5E, 0xF85D_2851_2D08_1C40,
      ])
    let first = CounterRandom(seed: 42, stream: 1)
    #expect(
      [0, 1, 2, .max].map { first.bits($0) } == [
        0x5C07_5F52_765E_CFE5, 0x6672_3B87_6CF5_A31D,
        0xE44A_CD82_B9EE_A3A1, 0x8FC6_B44B_B413_3950,
      ])
    let named = CounterRandom(seed: 7, stream: "weight")
    #expect(
      [0, 1, 2, .max].map { named.bits($0) } == [
        0xAA0A_4854_6381_B37D, 0x95D3_C596_565E_8294,
        0x4718_D898_4D13_C8D4, 0xDD37_E24D_DB94_B5F9,
      ])
    let last = CounterRandom(seed: .max, stream: .max)
    #expect(
      [0, 1, 2, .max].map { last.bits($0) } == [
        0xDD2E_1269_81C8_585F, 0x0A47_75CC_DDAD_9B5B,
        0x64C6_E636_3484_CA5C, 0xDEC6_C10F_252F_C135,
      ])
    #expect(named.uniform(3) == 0.8133184364143174)
    #expect(named.integer(5, below: 1000) == 882)
    // The logarithm and the cosine of another library may differ in the last bit.
    #expect(abs(named.normal(9) - -0.03969365815825054) < 1e-14)
  }

  @Test func anyOrderGivesTheSame() {
    let random = CounterRandom(seed: 3, stream: "order")
    let forward = (0..<1000).map { random.bits(UInt64($0)) }
    let other = CounterRandom(seed: 3, stream: "order")
    #expect((0..<1000).reversed().map { other.bits(UInt64($0)) } == forward.reversed())
    #expect(random.normals(10, deviation: 2) == Array(random.normals(100, deviation: 2)[..<10]))
  }

  @Test func uniformFillsItsRangeEvenly() {
    let random = CounterRandom(seed: 1, stream: "uniform")
    let bins = 100
    let draws = 100_000
    var counts = [Int](repeating: 0, count: bins)
    var integers = counts
    for index in 0..<draws {
      let value = random.uniform(UInt64(index))
      #expect(value >= 0 && value < 1)
      counts[Int(value * Double(bins))] += 1
      integers[random.integer(UInt64(index), below: bins)] += 1
    }
    // 99 degrees of freedom: mean 99, deviation 14; the values are the same in every run.
    for histogram in [counts, integers] {
      let expected = Double(draws) / Double(bins)
      let chiSquare = histogram.reduce(0) {
        $0 + (Double($1) - expected) * (Double($1) - expected) / expected
      }
      #expect(chiSquare > 57 && chiSquare < 149, "chi-square \(chiSquare)")
    }
  }

  @Test func everyBitIsAFairCoin() {
    let random = CounterRandom(seed: 5)
    let draws = 20_000
    for bit in 0..<64 {
      let ones = (0..<draws).count { random.bits(UInt64($0)) >> UInt64(bit) & 1 == 1 }
      // Five deviations of 71.
      #expect(abs(ones - draws / 2) < 354, "bit \(bit): \(ones)")
    }
  }

  @Test func normalHasTheMomentsOfItsName() {
    let random = CounterRandom(seed: 2, stream: "normal")
    let count = 200_000
    let values = (0..<count).map { random.normal(UInt64($0)) }
    let mean = values.reduce(0, +) / Double(count)
    func moment(_ power: Int) -> Double {
      values.reduce(0) { sum, value in sum + (0..<power).reduce(1.0) { term, _ in term * (value - mean) } }
        / Double(count)
    }
    // Five deviations each: 1, sqrt 2, sqrt 15 and sqrt 96 over sqrt n.
    let unit = 5 / Double(count).squareRoot()
    #expect(abs(mean) < unit)
    #expect(abs(moment(2) - 1) < 1.42 * unit)
    #expect(abs(moment(3)) < 3.9 * unit)
    #expect(abs(moment(4) - 3) < 9.8 * unit)
    #expect(values.allSatisfy { $0.isFinite })
  }

  @Test func streamsAndSeedsAreIndependent() {
    let randoms =
      (0..<20).map { CounterRandom(seed: $0) } + (1..<20).map { CounterRandom(seed: 0, stream: $0) }
      + ["a", "b", "ab", "ba"].map { CounterRandom(seed: 0, stream: $0) }
    let count = 4000
    let draws = randoms.map { random in (0..<count).map { random.uniform(UInt64($0)) - 0.5 } }
    for first in draws.indices {
      for second in 0..<first {
        let covariance = zip(draws[first], draws[second]).reduce(0) { $0 + $1.0 * $1.1 } * 12 / Double(count)
        // Correlations have a deviation of 1 / sqrt(n) = 0.016; of 900 pairs none is five away.
        #expect(abs(covariance) < 0.08, "\(first) and \(second): \(covariance)")
      }
    }
  }

  @Test func integersStayBelowTheirBound() {
    let random = CounterRandom(seed: 9)
    for bound in [1, 2, 3, 7, 1 << 40, .max] {
      for index in 0..<100 { #expect((0..<bound).contains(random.integer(UInt64(index), below: bound))) }
    }
  }
}
