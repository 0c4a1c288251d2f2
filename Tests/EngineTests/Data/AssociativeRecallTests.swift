import Glibc
import Testing

@testable import Engine

/// The laws of generated recall: what is shown, what is asked, and that it never depends on anything else.
@Suite struct AssociativeRecallTests {
  /// Pairs, length, vocabulary: small, even and odd, as full as possible, and the calibrated setting.
  static let sizes = [[1, 4, 2], [2, 9, 5], [16, 64, 32], [8, 64, 512], [3, 1001, 50]]

  private func task(_ sizes: [Int]) throws -> AssociativeRecall {
    try AssociativeRecall(pairs: sizes[0], length: sizes[1], vocabularySize: sizes[2])
  }

  @Test(arguments: sizes) func everyKeyIsShownOnceAndAskedOnce(_ sizes: [Int]) throws {
    let task = try task(sizes)
    let (pairs, length, half) = (task.pairs, task.length, task.vocabularySize / 2)
    let batch = RecallEvaluation(task, count: 20, seed: 3).batch(of: 0..<20)
    #expect(batch.inputs.count == 20 * length && batch.labels.count == 20 * length && batch.documents == nil)
    #expect(batch.targetCount == 20 * pairs)
    #expect(batch.inputs.allSatisfy { $0 >= 0 && Int($0) < task.vocabularySize })
    for sequence in 0..<20 {
      let inputs = Array(batch.inputs[sequence * length..<(sequence + 1) * length])
      let labels = Array(batch.labels[sequence * length..<(sequence + 1) * length])
      var values: [Int32: Int32] = [:]
      for pair in 0..<pairs {
        #expect(inputs[2 * pair] < half && inputs[2 * pair + 1] >= half)
        values[inputs[2 * pair]] = inputs[2 * pair + 1]
      }
      #expect(values.count == pairs, "keys repeat")
      let queries = labels.indices.filter { labels[$0] != Batch.ignoredLabel }
      #expect(queries.allSatisfy { $0 >= 2 * pairs && $0.isMultiple(of: 2) })
      #expect(Set(queries.map { inputs[$0] }) == Set(values.keys))
      for query in queries { #expect(labels[query] == values[inputs[query]]) }
    }
  }

  @Test func sequencesAreAFunctionOfSeedStreamAndNumber() throws {
    let task = try task([8, 64, 512])
    let sampler = RecallSampler(task, sequencesPerStep: 6, seed: 1)
    let whole = sampler.batch(step: 5, sequences: 0..<6)
    #expect(whole == RecallSampler(task, sequencesPerStep: 6, seed: 1).batch(step: 5, sequences: 0..<6))
    let parts = [0..<1, 1..<4, 4..<6].map { sampler.batch(step: 5, sequences: $0) }
    #expect(parts.flatMap(\.inputs) == whole.inputs && parts.flatMap(\.labels) == whole.labels)
    // The cut into steps does not matter either: sequence 30 is the first of step 5 or the last but two of step 3.
    let other = RecallSampler(task, sequencesPerStep: 9, seed: 1).batch(step: 3, sequences: 3..<9)
    #expect(other == whole)
    #expect(sampler.batch(step: 6, sequences: 0..<6) != whole)
    #expect(RecallSampler(task, sequencesPerStep: 6, seed: 2).batch(step: 5, sequences: 0..<6) != whole)
    let first = sampler.batch(step: 0, sequences: 0..<6)
    #expect(RecallEvaluation(task, count: 6, seed: 1).batch(of: 0..<6) != first)
    let rows = (0..<6).map { Array(first.inputs[$0 * 64..<($0 + 1) * 64]) }
    #expect(Set(rows).count == 6)
  }

  /// The first draw of gap g has probability (g + 1)^-0.99 over the sum; with one pair there is only that draw.
  @Test func gapsFollowTheirLaw() throws {
    let task = try task([1, 18, 40])
    let count = 20_000
    let batch = RecallEvaluation(task, count: count, seed: 9).batch(of: 0..<count)
    var found = [Double](repeating: 0, count: 8)
    for position in batch.labels.indices where batch.labels[position] >= 0 {
      found[(position % 18 - 2) / 2] += 1
    }
    let weights: [Double] = (1...8).map { pow(Double($0), -0.99) }
    let total = weights.reduce(0, +)
    for (gap, weight) in weights.enumerated() {
      let expected = weight / total
      let deviation = (expected * (1 - expected) / Double(count)).squareRoot()
      #expect(abs(found[gap] / Double(count) - expected) < 4.5 * deviation, "gap \(gap)")
    }
  }

  @Test func keysAndValuesUseTheirWholeHalf() throws {
    let batch = RecallEvaluation(try task([2, 8, 10]), count: 400, seed: 1).batch(of: 0..<400)
    let starts = stride(from: 0, to: batch.inputs.count, by: 8)
    #expect(Set(starts.flatMap { [batch.inputs[$0], batch.inputs[$0 + 2]] }) == Set(0..<5))
    #expect(Set(starts.flatMap { [batch.inputs[$0 + 1], batch.inputs[$0 + 3]] }) == Set(5..<10))
    // Values repeat within a sequence, as draws with replacement do.
    #expect(starts.contains { batch.inputs[$0 + 1] == batch.inputs[$0 + 3] })
  }

  @Test(arguments: [
    ([0, 64, 512], "at least 1 pair"), ([17, 64, 512], "at most 16 pairs"), ([1, 3, 512], "at most 0 pairs"),
    ([8, 64, 15], "different keys"), ([1, 4, 1], "different keys"), ([Int.max, 64, 512], "at most 16 pairs"),
  ])
  func impossibleSizesAreRefused(_ sizes: [Int], _ words: String) throws {
    let error = #expect(throws: DataError.self) { try task(sizes) }
    let text = try #require(error).description
    #expect(text.contains(words) && text.contains("hint:"), "\(text)")
  }
}
