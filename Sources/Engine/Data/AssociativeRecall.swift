import Glibc

/// Multi-query associative recall (Arora et al., "Zoology: Measuring and Improving Recall in Efficient Language
/// Models", 2023): pairs of a key and a value, then every key once more, whose label is its value.
///
/// A sequence begins with its pairs, keys at even positions and values behind them. Keys are different tokens of
/// the lower half of the vocabulary, values any of the upper half. Then each key occurs once as a query, at
/// position 2 pairs + 2 gap; gaps are drawn without replacement with probabilities proportional to
/// (gap + 1)^(`power` - 1), so that most queries come early and some late. All other positions are tokens of the
/// whole vocabulary, and only the queries have labels.
public struct AssociativeRecall: Sendable, Equatable {
  /// Exponent of the law of gaps.
  public static let power = 0.01

  /// Pairs, and so queries, of a sequence.
  public let pairs: Int
  /// Tokens of a sequence.
  public let length: Int
  public let vocabularySize: Int
  /// Relative probability of every gap.
  private let gapWeights: [Double]

  /// - Parameters:
  ///   - pairs: From 1 to a quarter of the length and half of the vocabulary.
  ///   - length: Tokens of a sequence; a last odd position only holds a random token.
  /// - Throws: `DataError.impossibleTask` when the queries have no room or there are too few keys.
  public init(pairs: Int, length: Int, vocabularySize: Int) throws(DataError) {
    guard pairs >= 1 else {
      throw .impossibleTask(
        problem: "there are \(pairs) pairs", needed: "at least 1 pair", hint: "more pairs")
    }
    // Divided, not multiplied: four times the pairs could overflow.
    guard length / 4 >= pairs else {
      throw .impossibleTask(
        problem: "\(pairs) pairs and their queries do not fit into \(length) tokens",
        needed: "four tokens a pair: at most \(max(0, length / 4)) pairs",
        hint: "longer sequences, or fewer pairs")
    }
    guard vocabularySize / 2 >= pairs, vocabularySize <= Int(Int32.max) else {
      throw .impossibleTask(
        problem: "\(pairs) different keys do not exist among \(vocabularySize) tokens",
        needed: "keys are the lower half of the vocabulary, 2 to 2^31 - 1 tokens",
        hint: "a larger vocabulary, or fewer pairs")
    }
    self.pairs = pairs
    self.length = length
    self.vocabularySize = vocabularySize
    gapWeights = (0..<(length - 2 * pairs) / 2).map { pow(Double($0 + 1), Self.power - 1) }
  }

  /// Names the task with its sizes, for example `mqar: 8 pairs, 64 tokens of 512 kinds`.
  public var title: String { "mqar: \(pairs) pairs, \(length) tokens of \(vocabularySize) kinds" }

  /// Where random numbers come from: one stream for each kind of choice.
  struct Source: Sendable {
    fileprivate let keys, values, gaps, others: CounterRandom

    /// - Parameter stream: What the sequences are for; different streams are independent.
    init(seed: UInt64, stream: String) {
      keys = CounterRandom(seed: seed, stream: "mqar \(stream) keys")
      values = CounterRandom(seed: seed, stream: "mqar \(stream) values")
      gaps = CounterRandom(seed: seed, stream: "mqar \(stream) gaps")
      others = CounterRandom(seed: seed, stream: "mqar \(stream) others")
    }
  }

  /// Appends a sequence of a stream to a batch.
  ///
  /// - Parameter number: Which sequence, from 0: the result is a function of the source and this number alone.
  func appendSequence(_ number: Int, from source: Source, to batch: inout Batch) {
    // No choice needs more numbers than a sequence has tokens.
    let first = UInt64(number) &* UInt64(length)
    let half = vocabularySize / 2
    var inputs = (0..<length).map { position in
      Int32(source.others.integer(first &+ UInt64(position), below: vocabularySize))
    }
    var labels = [Int32](repeating: Batch.ignoredLabel, count: length)
    let keys = keys(source.keys, first)
    let gaps = gaps(source.gaps, first)
    for pair in 0..<pairs {
      let value = half + source.values.integer(first &+ UInt64(pair), below: vocabularySize - half)
      let query = 2 * pairs + 2 * gaps[pair]
      inputs[2 * pair] = keys[pair]
      inputs[2 * pair + 1] = Int32(value)
      inputs[query] = keys[pair]
      labels[query] = Int32(value)
    }
    batch.appendSequence(inputs: inputs, labels: labels)
  }

  /// Different tokens of the lower half: the beginning of a shuffle that stores only what has moved.
  private func keys(_ random: CounterRandom, _ first: UInt64) -> [Int32] {
    let half = vocabularySize / 2
    var moved: [Int: Int] = [:]
    return (0..<pairs).map { place in
      let other = place + random.integer(first &+ UInt64(place), below: half - place)
      let chosen = moved[other] ?? other
      moved[other] = moved[place] ?? place
      return Int32(chosen)
    }
  }

  /// Different gaps, drawn one after the other in proportion to their weights.
  ///
  /// The first arrivals of independent exponential clocks with these rates (Efraimidis and Spirakis, "Weighted Random
  /// Sampling with a Reservoir", 2006).
  private func gaps(_ random: CounterRandom, _ first: UInt64) -> [Int] {
    let arrivals = gapWeights.enumerated().map { gap, weight in
      -log(1 - random.uniform(first &+ UInt64(gap))) / weight
    }
    let order = arrivals.indices.sorted { (arrivals[$0], $0) < (arrivals[$1], $1) }
    return Array(order.prefix(pairs))
  }
}

/// The training batches of a recall task: sequences without end.
public struct RecallSampler: TrainingBatches {
  public let task: AssociativeRecall
  /// Sequences of a step over all micro-batches.
  public let sequencesPerStep: Int
  private let source: AssociativeRecall.Source

  public init(_ task: AssociativeRecall, sequencesPerStep: Int, seed: UInt64) {
    self.task = task
    self.sequencesPerStep = sequencesPerStep
    source = AssociativeRecall.Source(seed: seed, stream: "training")
  }

  /// A part of the batch of a step.
  ///
  /// - Precondition: The step is not negative, the sequences are the step's.
  public func batch(step: Int, sequences: Range<Int>) -> Batch {
    precondition(
      step >= 0 && sequences.lowerBound >= 0 && sequences.upperBound <= sequencesPerStep,
      "sequences \(sequences) of step \(step), which has \(sequencesPerStep)")
    return task.batch(sequences.map { step * sequencesPerStep + $0 }, from: source)
  }
}

/// The held-out sequences of a recall task.
public struct RecallEvaluation: EvaluationBatches {
  public let task: AssociativeRecall
  public let count: Int
  private let source: AssociativeRecall.Source

  /// - Parameter count: Number of sequences, positive.
  public init(_ task: AssociativeRecall, count: Int, seed: UInt64) {
    self.task = task
    self.count = count
    source = AssociativeRecall.Source(seed: seed, stream: "held out")
  }

  public var context: Int { task.length }
  public var scoredTokenCount: Int { count * task.pairs }
  public var measuresAccuracy: Bool { true }

  /// Some of the sequences.
  ///
  /// - Precondition: They exist.
  public func batch(of sequences: Range<Int>) -> Batch {
    precondition(sequences.lowerBound >= 0 && sequences.upperBound <= count, "\(sequences) of \(count)")
    return task.batch(Array(sequences), from: source)
  }
}

extension AssociativeRecall {
  fileprivate func batch(_ numbers: [Int], from source: Source) -> Batch {
    var batch = Batch(sequences: numbers.count, context: length, hasDocuments: false)
    for number in numbers { appendSequence(number, from: source, to: &batch) }
    return batch
  }
}
