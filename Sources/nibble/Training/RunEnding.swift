import Configuration
import Engine
import Terminal

/// How a call's part of a run ended.
struct RunEnding {
  /// The run folder.
  let folder: String
  let values: RunConfiguration
  let outcome: TrainingOutcome
  let step: Int
  /// Of the last update; nil when there was none.
  let metrics: StepMetrics?
  /// Whether the time limit ended it.
  let isTimeOver: Bool
  /// Over the whole validation part, where that was asked for and nobody stopped the run.
  let evaluation: Evaluator.Result?

  /// Says it, and what to do next.
  func present(_ output: Output) -> Terminal.ExitCode {
    let step = Numbers.grouped(step)
    var code = Terminal.ExitCode.done
    switch outcome {
    case .finished:
      output.result("\(folder): \(step) steps done\(measured)")
      for line in next { output.narrate(line) }
    case .stopped:
      code = Interruption.shared.stopReason?.exitCode ?? .done
      let isLimit = Interruption.shared.stopReason == nil && isTimeOver
      output.result("\(folder): stopped \(isLimit ? "at the time limit " : "")after step \(step), saved")
      output.narrate("resume: nibble train \(folder)")
    }
    output.json([
      "schema": 1, "kind": "end", "outcome": outcome == .finished ? "finished" : "stopped",
      "run": .string(folder),
      "step": .integer(self.step), "loss": JSONText(metrics?.loss),
      "validation_loss": JSONText(metrics?.validationLoss),
      "validation_accuracy": JSONText(metrics?.validationAccuracy),
      "tokens": .integer(metrics?.tokens ?? 0), "time_s": .number(metrics?.seconds ?? 0),
      "memory_bytes": .integer(metrics?.memoryByteCount ?? 0),
    ])
    return code
  }

  /// What the last evaluation found, behind a comma.
  private var measured: String {
    let accuracy = metrics?.validationAccuracy.map {
      ", validation accuracy \(Numbers.fixed($0, decimals: 4))"
    }
    let loss = metrics?.validationLoss.map { ", validation loss \(Numbers.fixed($0, decimals: 4))" }
    return (accuracy ?? "") + (loss ?? "")
  }

  /// What a finished run is good for.
  private var next: [String] {
    guard values.data.task == .text else { return ["next: nibble eval \(folder)"] }
    return [
      "next: nibble generate \(folder) \"\(values.data.path == "embedded" ? "Once" : "The")\"",
      "      nibble eval \(folder) --split validation",
    ]
  }
}
