import Engine
import Glibc
import Testing

@Suite struct SamplerTests {
  private let logits: [Float] = [0.5, 2, -1, 2, 1.25, -.infinity, 0]

  private func draws(_ options: SamplingOptions, _ count: Int, _ logits: [Float]) -> [Int] {
    let sampler = Sampler(options)
    var counts = [Int](repeating: 0, count: logits.count)
    for position in 0..<count { counts[Int(sampler.choose(logits, position: UInt64(position)))] += 1 }
    return counts
  }

  private func probabilities(_ logits: [Float], temperature: Double = 1) -> [Double] {
    let weights = logits.map { exp(Double($0) / temperature) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  /// Pearson's statistic over the cells that can be drawn; the others must be empty.
  private func chiSquare(_ counts: [Int], _ probabilities: [Double]) -> Double {
    let total = Double(counts.reduce(0, +))
    var sum = 0.0
    for (count, probability) in zip(counts, probabilities) {
      if probability == 0 { return count == 0 ? sum : .infinity }
      let expected = total * probability
      sum += (Double(count) - expected) * (Double(count) - expected) / expected
    }
    return sum
  }

  @Test func temperatureZeroTakesTheFirstOfTheLargest() {
    let sampler = Sampler(SamplingOptions(temperature: 0, seed: 4))
    for position in 0..<UInt64(20) { #expect(sampler.choose(logits, position: position) == 1) }
  }

  @Test func theSameSeedAndPositionChooseTheSame() {
    let chosen = (0..<UInt64(200)).map { Sampler(SamplingOptions(seed: 4)).choose(logits, position: $0) }
    let again = (0..<UInt64(200)).reversed().map {
      Sampler(SamplingOptions(seed: 4)).choose(logits, position: $0)
    }
    #expect(chosen == again.reversed())
    #expect(
      chosen != (0..<UInt64(200)).map { Sampler(SamplingOptions(seed: 5)).choose(logits, position: $0) })
  }

  /// 99.9th percentiles of the chi-square distribution: 20.5 with 5 degrees of freedom, 18.5 with 4.
  @Test(arguments: [0.5, 1, 3])
  func drawsFollowTheSoftmax(temperature: Double) {
    let finite = logits.filter { $0.isFinite }
    let counts = draws(SamplingOptions(temperature: temperature, seed: 11), 20_000, finite)
    #expect(chiSquare(counts, probabilities(finite, temperature: temperature)) < 20.5)
  }

  @Test func whatIsImpossibleIsNeverDrawn() {
    #expect(draws(SamplingOptions(temperature: 10, seed: 2), 20_000, logits)[5] == 0)
  }

  @Test(arguments: [
    (1, [1]), (2, [1, 3]), (3, [1, 3, 4]), (7, [0, 1, 2, 3, 4, 6]), (100, [0, 1, 2, 3, 4, 6]),
  ])
  func topKKeepsTheLargestWithTiesToTheLowerId(k: Int, kept: [Int]) {
    let counts = draws(SamplingOptions(temperature: 2, topK: k, seed: 6), 8_000, logits)
    #expect(counts.indices.filter { counts[$0] > 0 } == kept)
  }

  /// Probabilities 1/2, 1/4, 1/8, 1/8: the token that reaches p is the last one kept.
  @Test(arguments: [
    (1e-9, 1), (0.5, 1), (0.500001, 2), (0.75, 2), (0.750001, 3), (0.875, 3), (0.875001, 4), (1.0, 4),
    (0.0, 1),
  ])
  func topPKeepsTokensUntilTheyReachP(p: Double, kept: Int) {
    let logits: [Float] = [
      Float(-3 * log(2.0)), Float(-log(2.0)), Float(-3 * log(2.0)), Float(-2 * log(2.0)),
    ]
    let order = [1, 3, 0, 2]
    // At an exact boundary the rounding of the logits decides: stay a hair below it.
    let limit = p == 0.5 || p == 0.75 || p == 0.875 ? p - 1e-6 : p
    let counts = draws(SamplingOptions(topP: limit, seed: 1), 4_000, logits)
    #expect(Set(counts.indices.filter { counts[$0] > 0 }) == Set(order.prefix(kept)))
  }

  @Test func topKAndTopPTogetherRenormalize() {
    let logits: [Float] = [3, 2, 1, 0, -1]
    // Of the three largest, 0.665 and 0.245 reach 0.9.
    let counts = draws(SamplingOptions(topK: 3, topP: 0.9, seed: 8), 20_000, logits)
    let expected = probabilities([3, 2]) + [0, 0, 0]
    // One degree of freedom, 99.9th percentile.
    #expect(chiSquare(counts, expected) < 10.8)
  }
}
