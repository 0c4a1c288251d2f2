/// Training batches as a pure function of (seed, step): any step can be asked for, in any order, after
/// any resume, and every device and every cut into micro-batches sees the same sequences.
///
/// An epoch visits every window of `context` tokens (and the label after the last) once, in an order of
/// its own; the windows of an epoch begin at a random offset below the context, so that their boundaries
/// move from epoch to epoch. Epochs follow one another without end, and step s takes the sequences
/// s B ..< (s + 1) B of all epochs.
public struct BatchSampler: Sendable {
  /// Tokens of a sequence.
  public let context: Int

  /// Sequences of a step, B.
  public let sequencesPerStep: Int

  /// Windows, and so sequences, of an epoch.
  public let windowsPerEpoch: Int

  private let tokens: TokenSequence
  private let seed: UInt64
  private let offsetBound: Int

  /// - Parameters:
  ///   - tokens: The training data.
  ///   - context: Tokens of a sequence, positive.
  ///   - sequencesPerStep: Sequences of a step over all micro-batches, positive.
  ///   - seed: The run's seed.
  /// - Throws: `DataError.tooShort` unless there are `context` + 1 tokens, `invalidSize` below 1.
  public init(
    _ tokens: TokenSequence, context: Int, sequencesPerStep: Int, seed: UInt64,
  ) throws(DataError) {
    guard context > 0 else { throw .invalidSize(quantity: "the context", value: context, minimum: 1) }
    guard sequencesPerStep > 0 else {
      throw .invalidSize(quantity: "the number of sequences a step", value: sequencesPerStep, minimum: 1)
    }
    // Subtracted on the side of the data: context + 1 could overflow.
    guard tokens.count - 1 >= context else {
      throw .tooShort(
        use: "training with a context of \(context)", tokens: tokens.count,
        needed: context == Int.max ? context : context + 1,
        hint: "use more data or lower model.context")
    }
    self.tokens = tokens
    self.context = context
    self.sequencesPerStep = sequencesPerStep
    self.seed = seed
    let windows = (tokens.count - 1) / context
    // One window less leaves room for every offset below the context.
    windowsPerEpoch = max(1, windows - 1)
    offsetBound = min(context, tokens.count - windowsPerEpoch * context)
  }

  /// Tokens of a step.
  public var tokensPerStep: Int { sequencesPerStep * context }

  /// Epochs that are done when a step begins, with the fraction of the one in progress.
  ///
  /// - Precondition: The step is not negative.
  public func epochs(before step: Int) -> Double {
    Double(step) * Double(sequencesPerStep) / Double(windowsPerEpoch)
  }

  /// Position in the data of the first token of a sequence, counted over all steps and epochs.
  ///
  /// - Precondition: The sequence is not negative.
  /// - Complexity: O(1), a few hundred operations.
  public func start(ofSequence sequence: Int) -> Int {
    let epoch = sequence / windowsPerEpoch
    let order = EpochOrder(count: windowsPerEpoch, seed: seed, epoch: epoch)
    return offset(ofEpoch: epoch) + order[sequence % windowsPerEpoch] * context
  }

  /// Where the first window of an epoch begins.
  func offset(ofEpoch epoch: Int) -> Int {
    CounterRandom(seed: seed, stream: "offsets of epochs").integer(UInt64(epoch), below: offsetBound)
  }

  /// The batch of a step.
  ///
  /// - Precondition: The step is not negative.
  public func batch(step: Int) -> Batch { batch(step: step, sequences: 0..<sequencesPerStep) }

  /// A part of the batch of a step: a micro-batch.
  ///
  /// - Parameters:
  ///   - step: Step, from 0.
  ///   - sequences: Which of the step's sequences, within 0..<sequencesPerStep.
  /// - Precondition: The step is not negative, the sequences are the step's.
  public func batch(step: Int, sequences: Range<Int>) -> Batch {
    precondition(
      step >= 0 && sequences.lowerBound >= 0 && sequences.upperBound <= sequencesPerStep,
      "sequences \(sequences) of step \(step), which has \(sequencesPerStep)")
    var batch = Batch(
      sequences: sequences.count, context: context, hasDocuments: tokens.endOfText != nil)
    for sequence in sequences {
      let start = start(ofSequence: step * sequencesPerStep + sequence)
      batch.appendSequence(start..<start + context, of: tokens, labelsEnd: true)
    }
    return batch
  }
}
