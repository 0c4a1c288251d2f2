/// Training batches as a pure function of the step.
public protocol TrainingBatches: Sendable {
  /// A part of the batch of a step: a micro-batch.
  ///
  /// - Parameters:
  ///   - step: Step, from 0.
  ///   - sequences: Which of the step's sequences.
  func batch(step: Int, sequences: Range<Int>) -> Batch
}

/// Sequences that an evaluation scores, the same ones every time.
public protocol EvaluationBatches: Sendable {
  /// Tokens of a sequence.
  var context: Int { get }
  /// Number of sequences.
  var count: Int { get }
  /// Number of labels that count, over all sequences.
  var scoredTokenCount: Int { get }
  /// Whether an evaluation also counts the scored positions whose likeliest token is the label.
  var measuresAccuracy: Bool { get }
  /// Some sequences as a batch, within 0..<count.
  func batch(of sequences: Range<Int>) -> Batch
}

extension BatchSampler: TrainingBatches {}

extension EvaluationWindows: EvaluationBatches {
  /// Of a text the loss is asked for.
  public var measuresAccuracy: Bool { false }

  /// Some windows as a batch.
  public func batch(of sequences: Range<Int>) -> Batch { batch(sequences) }
}
