import Configuration
import Engine
import Files
import Terminal

/// The generated task of a run.
struct RunTask {
  let recall: AssociativeRecall
  let heldOut: Int
  let seed: UInt64

  /// - Parameters:
  ///   - length: Tokens of a sequence.
  ///   - vocabulary: The model's.
  init(_ values: RunConfiguration, length: Int, vocabulary: Int) throws {
    recall = try AssociativeRecall(
      pairs: values.task.pairs, length: length, vocabularySize: vocabulary)
    heldOut = values.task.heldOut
    seed = UInt64(values.seed)
  }

  var evaluation: RecallEvaluation { RecallEvaluation(recall, count: heldOut, seed: seed) }

  func data(sequencesPerStep: Int) -> Trainer.TrainingData {
    Trainer.TrainingData(
      sampler: RecallSampler(recall, sequencesPerStep: sequencesPerStep, seed: seed),
      validation: evaluation, hash: SHA256.hexadecimal(of: recall.title), coding: nil)
  }
}

/// Results as text, the same while a run goes on and afterwards.
enum AccuracyText {
  /// `0.9932 (1,017 of 1,024)`; nil where no accuracy was measured.
  static func counted(_ result: Evaluator.Result) -> String? {
    guard let accuracy = result.accuracy, let correct = result.correctTokens else { return nil }
    return
      "\(Numbers.fixed(accuracy, decimals: 4)) (\(Numbers.grouped(correct)) of \(Numbers.grouped(result.scoredTokens)))"
  }
}
