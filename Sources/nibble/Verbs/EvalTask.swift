import Configuration
import Engine
import Kernels
import Terminal

/// `nibble eval` on a run of a generated task: accuracy on its held-out sequences.
extension EvalVerb {
  func evaluateTask(_ values: RunConfiguration, _ folder: ModelFolder, softcap: Double, _ call: Call) throws
    -> Terminal.ExitCode
  {
    let name = values.data.task.rawValue
    guard split == nil || split == .validation else {
      throw UsageError(
        "--split \(split?.rawValue ?? ""): a run on \(name) is measured on sequences that it never trains on",
        hints: ["leave out --split"])
    }
    let length = try windowLength(folder, usual: values.model.context, call.output)
    let task = try RunTask(values, length: length, vocabulary: folder.configuration.vocabularySize)
    let device = try call.open()
    let loaded = try folder.load(on: device)
    let start = Call.now()
    let result = try measure(loaded, task.evaluation, call, softcap: softcap)
    if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
    let seconds = Call.now() - start
    report(result, task, call.output, seconds: seconds)
    call.output.json([
      "schema": 1, "model": .string(folder.path), "task": .string(name), "split": "validation",
      "accuracy": JSONText(result.accuracy), "correct_tokens": .integer(result.correctTokens ?? 0),
      "loss": .number(result.loss), "loss_error": .number(result.standardError),
      "scored_tokens": .integer(result.scoredTokens), "sequences": .integer(task.heldOut),
      "pairs": .integer(task.recall.pairs), "context": .integer(length), "seed": .integer(values.seed),
      "time_s": .number(seconds), "device": .string(device.description.name),
    ])
    return result.loss.isFinite ? .done : .failed
  }

  private func report(_ result: Evaluator.Result, _ task: RunTask, _ output: Output, seconds: Double) {
    let sign = output.glyphs == .unicode ? "±" : "+-"
    if let text = AccuracyText.counted(result) {
      output.result("accuracy  \(output.resultStyle.applied(.emphasis, to: text))")
    }
    output.result(
      "loss      \(Numbers.fixed(result.loss, decimals: 4)) \(sign) "
        + "\(Numbers.fixed(result.standardError, decimals: 4)) nats an answer")
    output.result("task      \(task.recall.title), \(Numbers.grouped(task.heldOut)) held-out sequences")
    output.narrate(Numbers.duration(seconds))
  }
}
