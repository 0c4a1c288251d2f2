import Engine
import Glibc
import Kernels
import Testing

@Suite struct RotaryFrequenciesTests {
  @Test func aTableFurtherOnHasTheRowsOfTheWholeOne() throws {
    let frequencies = try RotaryFrequencies(rotaryDimensions: 8, theta: 10_000)
    let (whole, part) = (frequencies.table(positions: 70), frequencies.table(from: 61, positions: 9))
    #expect(part.cosine == Array(whole.cosine[(61 * 4)...]) && part.sine == Array(whole.sine[(61 * 4)...]))
  }

  @Test func plainFrequenciesArePowersOfTheta() throws {
    let plain = try RotaryFrequencies(rotaryDimensions: 8, theta: 10_000)
    for (index, frequency) in plain.inverseFrequencies.enumerated() {
      #expect(abs(frequency - pow(10, -Double(index))) < 1e-15)
    }
    #expect(plain.attentionFactor == 1)
  }

  @Test func llama3KeepsShortAndDividesLongWavelengths() throws {
    let plain = try RotaryFrequencies(rotaryDimensions: 64, theta: 500_000)
    let scaling = RotaryScaling.llama3(
      factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192)
    let scaled = try RotaryFrequencies(rotaryDimensions: 64, theta: 500_000, scaling: scaling)
    #expect(scaled.inverseFrequencies[0] == plain.inverseFrequencies[0])
    #expect(scaled.inverseFrequencies[31] == plain.inverseFrequencies[31] / 8)
    for (frequency, kept) in zip(scaled.inverseFrequencies, plain.inverseFrequencies) {
      #expect(frequency <= kept && frequency >= kept / 8)
    }
  }

  @Test func yarnRampsBetweenKeptAndDividedAndSharpensAttention() throws {
    let plain = try RotaryFrequencies(rotaryDimensions: 64, theta: 10_000)
    let yarn = try RotaryFrequencies(
      rotaryDimensions: 64, theta: 10_000, scaling: .yarn(factor: 4, originalContext: 1024))
    #expect(yarn.inverseFrequencies[0] == plain.inverseFrequencies[0])
    #expect(abs(yarn.inverseFrequencies[31] * 4 / plain.inverseFrequencies[31] - 1) < 1e-15)
    #expect(abs(yarn.attentionFactor - 1.138629436111989) < 1e-15)
    // The table carries the factor: at position 0 every cosine is the factor and every sine 0.
    let (cosine, sine) = yarn.table(positions: 1)
    #expect(cosine.allSatisfy { $0 == Float(yarn.attentionFactor) } && sine.allSatisfy { $0 == 0 })
  }

  @Test func tableIsExactFarOut() throws {
    let frequencies = try RotaryFrequencies(rotaryDimensions: 6, theta: 10_000)
    let (cosine, sine) = frequencies.table(positions: 30_001)
    for (index, frequency) in frequencies.inverseFrequencies.enumerated() {
      #expect(cosine[30_000 * 3 + index] == Float(cos(30_000 * frequency)))
      #expect(sine[30_000 * 3 + index] == Float(sin(30_000 * frequency)))
    }
  }

  @Test func rejectsSettingsThatMakeNoSense() {
    #expect(throws: RotaryError.self) { try RotaryFrequencies(rotaryDimensions: 7, theta: 10_000) }
    #expect(throws: RotaryError.self) { try RotaryFrequencies(rotaryDimensions: 8, theta: 0) }
    #expect(throws: RotaryError.self) {
      try RotaryFrequencies(rotaryDimensions: 8, theta: 10_000, scaling: .linear(factor: .nan))
    }
    #expect(throws: RotaryError.self) {
      try RotaryFrequencies(rotaryDimensions: 8, theta: 10_000, attentionFactor: -1)
    }
    let scaling = RotaryScaling.llama3(
      factor: 8, lowFrequencyFactor: 4, highFrequencyFactor: 4, originalContext: 8192)
    #expect(throws: RotaryError.self) {
      try RotaryFrequencies(rotaryDimensions: 8, theta: 10_000, scaling: scaling)
    }
  }
}
