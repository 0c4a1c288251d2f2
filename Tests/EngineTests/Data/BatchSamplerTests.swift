import Testing

@testable import Engine

@Suite struct BatchSamplerTests {
  @Test(arguments: [1, 2, 3, 4, 5, 7, 16, 17, 100, 255, 256, 257, 1_000])
  func orderIsAPermutation(count: Int) {
    for epoch in 0..<3 {
      let order = EpochOrder(count: count, seed: 7, epoch: epoch)
      #expect((0..<count).map { order[$0] }.sorted() == Array(0..<count))
    }
  }

  @Test func ordersDifferByEpochAndSeed() {
    func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
      let order = EpochOrder(count: 100, seed: seed, epoch: epoch)
      return (0..<100).map { order[$0] }
    }
    #expect(order(1, 0) != order(1, 1))
    #expect(order(1, 0) != order(2, 0))
    #expect(order(1, 0) != Array(0..<100))
  }

  /// Every value should be equally likely at every place: chi-square over many seeds.
  @Test func ordersAreEven() {
    let count = 10
    let trials = 4_000
    var table = [Int](repeating: 0, count: count * count)
    for seed in 0..<trials {
      let order = EpochOrder(count: count, seed: UInt64(seed), epoch: 0)
      for place in 0..<count { table[place * count + order[place]] += 1 }
    }
    let expected = Double(trials) / Double(count)
    let statistic = table.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    // 81 degrees of freedom: mean 81, deviation 12.7; five deviations.
    #expect(statistic < 81 + 5 * 12.7)
  }

  @Test(arguments: [(1_000, 7), (129, 64), (65, 64), (100, 33), (67, 33), (5_000, 128)])
  func epochVisitsEveryWindowOnce(count: Int, context: Int) throws {
    let sampler = try BatchSampler(try countingTokens(count), context: context, sequencesPerStep: 3, seed: 5)
    for epoch in 0..<4 {
      let first = epoch * sampler.windowsPerEpoch
      let starts = (first..<first + sampler.windowsPerEpoch).map { sampler.start(ofSequence: $0) }.sorted()
      let offset = sampler.offset(ofEpoch: epoch)
      #expect(offset >= 0 && offset < context)
      #expect(starts == (0..<sampler.windowsPerEpoch).map { offset + $0 * context })
      #expect((starts.last ?? 0) + context < count)
    }
  }

  @Test func boundariesMove() throws {
    let sampler = try BatchSampler(try countingTokens(10_000), context: 64, sequencesPerStep: 4, seed: 5)
    #expect(Set((0..<50).map { sampler.offset(ofEpoch: $0) }).count > 25)
  }

  @Test func labelsAreTheNextTokens() throws {
    let sampler = try BatchSampler(try countingTokens(1_000), context: 16, sequencesPerStep: 5, seed: 3)
    for step in [0, 1, 11, 12, 13, 1_000_000] {
      let batch = sampler.batch(step: step)
      #expect(batch.inputs.count == 80 && batch.labels == batch.inputs.map { $0 + 1 })
      #expect(batch.documents == nil && batch.targetCount == 80)
    }
  }

  @Test func batchIsAFunctionOfSeedAndStep() throws {
    let data = try countingTokens(3_000)
    func sampler(_ seed: UInt64) throws -> BatchSampler {
      try BatchSampler(data, context: 32, sequencesPerStep: 4, seed: seed)
    }
    let first = try sampler(1)
    let later = try sampler(1)
    for step in [17, 3, 250] { _ = later.batch(step: step) }
    for step in 0..<60 { #expect(first.batch(step: step) == later.batch(step: step)) }
    #expect(try sampler(2).batch(step: 0) != first.batch(step: 0))
    #expect(first.batch(step: 1) != first.batch(step: 0))
  }

  @Test(arguments: [1, 2, 3, 5, 12])
  func microBatchesMakeTheBatch(size: Int) throws {
    let data = try countingTokens(3_000)
    let sampler = try BatchSampler(data, context: 32, sequencesPerStep: 12, seed: 1)
    for step in [0, 7, 100] {
      let whole = sampler.batch(step: step)
      let parts = stride(from: 0, to: 12, by: size).map {
        sampler.batch(step: step, sequences: $0..<min($0 + size, 12))
      }
      #expect(parts.flatMap(\.inputs) == whole.inputs && parts.flatMap(\.labels) == whole.labels)
    }
    // Steps of another size cut the same endless sequence elsewhere.
    let small = try BatchSampler(data, context: 32, sequencesPerStep: 4, seed: 1)
    #expect((0..<3).flatMap { small.batch(step: $0).inputs } == sampler.batch(step: 0).inputs)
  }

  @Test func documentsCountWithinASequence() throws {
    let values: [Int32] = [1, 9, 2, 3, 9, 9, 4, 5, 6]
    let data = try TokenSequence(values, vocabularySize: 10, endOfText: 9)
    let sampler = try BatchSampler(data, context: 8, sequencesPerStep: 1, seed: 1)
    let batch = sampler.batch(step: 0)
    #expect(batch.inputs == [1, 9, 2, 3, 9, 9, 4, 5])
    #expect(batch.labels == [9, 2, 3, 9, 9, 4, 5, 6])
    #expect(batch.documents == [0, 0, 1, 1, 1, 2, 3, 3])
    let other = try TokenSequence([1, 2, 3], vocabularySize: 10, endOfText: 9)
    #expect(try BatchSampler(other, context: 2, sequencesPerStep: 1, seed: 1).batch(step: 0).documents == nil)
  }

  @Test func dataShorterThanAContextIsRefused() throws {
    for count in [0, 1, 16] {
      let data = try countingTokens(count)
      expectDataError(
        dataError { _ = try BatchSampler(data, context: 16, sequencesPerStep: 1, seed: 1) },
        mentions: "\(count) tokens", "at least 17", "context")
    }
    let data = try countingTokens(17)
    let sampler = try BatchSampler(data, context: 16, sequencesPerStep: 2, seed: 1)
    #expect(sampler.windowsPerEpoch == 1)
    #expect(sampler.batch(step: 3).inputs == (0..<2).flatMap { _ in (0..<16).map { Int32($0) } })
  }

  @Test(arguments: [(0, 1), (-1, 1), (4, 0)])
  func emptyBatchesAreRefused(context: Int, sequences: Int) throws {
    let data = try countingTokens(100)
    expectDataError(
      dataError { _ = try BatchSampler(data, context: context, sequencesPerStep: sequences, seed: 1) },
      mentions: "is \(min(context, sequences))", "smallest: 1")
  }

  @Test func epochsAreCounted() throws {
    let data = try countingTokens(101)
    let sampler = try BatchSampler(data, context: 10, sequencesPerStep: 3, seed: 1)
    #expect(sampler.windowsPerEpoch == 9 && sampler.tokensPerStep == 30)
    #expect(sampler.epochs(before: 3) == 1 && sampler.epochs(before: 0) == 0)
  }
}
