import Configuration
import Engine
import Terminal
import Tokenizers

/// What a run trains on, ready for the trainer, and what its checkpoints carry of it.
struct RunData {
  let data: Trainer.TrainingData
  /// Nil for a generated task, which has no end.
  let trainingTokens: Int?
  let validationTokens: Int?
  let attachments: [TrainingCheckpoint.Attachment]

  /// The task that the configuration names.
  init(task: RunTask, sequencesPerStep: Int) {
    data = task.data(sequencesPerStep: sequencesPerStep)
    (trainingTokens, validationTokens) = (nil, nil)
    attachments = ModelTokenizer.absentAttachments
  }

  /// The tokens of a text.
  init(
    _ corpus: RunCorpus, _ values: RunConfiguration, _ runTokenizer: RunTokenizer, stopTokens: [Int32],
    vocabulary: Int, narrating output: Output,
  ) throws {
    let tokenizer = runTokenizer.tokenizer
    attachments = runTokenizer.attachments
    let endOfText = values.data.endOfText
    let training = try TextFiles.tokens(corpus.training, tokenizer, endOfText: endOfText, narrating: output)
    let validation = try corpus.validation.map {
      try TextFiles.tokens($0, tokenizer, endOfText: endOfText, narrating: output)
    }
    guard tokenizer.vocabularySize <= vocabulary else {
      throw Failure(
        "the tokenizer has \(tokenizer.vocabularySize) ids, the model only \(vocabulary)",
        hints: ["use the tokenizer that the checkpoint came with, or train from the beginning"])
    }
    trainingTokens = training.count
    validationTokens = validation?.count ?? 0
    let context = values.model.context
    let sampler = try BatchSampler(
      training, context: context, sequencesPerStep: values.batch.tokens / context, seed: UInt64(values.seed))
    let windows = try validation.map { try EvaluationWindows($0, context: context, rule: .everyToken) }
    data = Trainer.TrainingData(
      sampler: sampler, validation: windows, hash: corpus.hash(),
      coding: Trainer.TextCoding(
        encode: { tokenizer.encode($0) }, decode: { tokenizer.decode($0) },
        stopTokens: Set(stopTokens + tokenizer.stopIDs)))
  }
}
