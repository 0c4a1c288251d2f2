import Configuration
import Engine
import Files
import Terminal

/// Shows a run while it works: a status block, lines that stay, JSON, and `log.txt`.
final class RunObserver: TrainingObserver {
  private let output: Output
  private let log: AppendingFile
  private let logInterval: Int
  private let tokensPerStep: Int
  /// Work of a step over the measured rate of a matrix product; nil when that is unknown.
  private let idealStepSeconds: Double?
  private let stopStep: Int?
  private var remaining: RemainingTime
  /// Seconds spent in steps alone, without evaluations and checkpoints.
  private var stepClock = 0.0
  private var smoothedLoss: Double?
  private var validationLoss: Double?
  private var validationAccuracy: Double?
  /// Seconds that the run may take; nil without a limit.
  private let limit: Double?
  private var start = Call.now()
  private(set) var lastStep: Int
  private(set) var lastMetrics: StepMetrics?
  /// The first failure of writing the log; the run goes on, the end tells.
  private(set) var logFailure: (any Error)?

  init(
    _ output: Output, log: AppendingFile, settings: LogSettings, plan: RunPlan, stopStep: Int?,
  ) {
    self.output = output
    self.log = log
    logInterval = max(1, settings.every)
    tokensPerStep = plan.options.tokensPerStep
    idealStepSeconds = plan.matmulRate.map { plan.estimate.flopsPerStep / $0 }
    self.stopStep = stopStep
    limit = plan.options.seconds
    lastStep = plan.firstStep
    remaining = RemainingTime(totalSteps: plan.options.steps)
  }

  func didStep(_ metrics: StepMetrics, totalSteps: Int) {
    let seconds = metrics.tokensPerSecond > 0 ? Double(tokensPerStep) / metrics.tokensPerSecond : 0
    if lastMetrics == nil { remaining.finishStep(metrics.step - 1, at: stepClock) }
    stepClock += seconds
    remaining.finishStep(metrics.step, at: stepClock)
    lastStep = metrics.step
    lastMetrics = metrics
    validationLoss = metrics.validationLoss ?? validationLoss
    validationAccuracy = metrics.validationAccuracy ?? validationAccuracy
    // About the last twenty steps.
    smoothedLoss = smoothedLoss.map { 0.95 * $0 + 0.05 * metrics.loss } ?? metrics.loss
    output.progress.update(isLast: metrics.step == totalSteps) { columns in
      block(metrics, totalSteps: totalSteps, seconds: seconds, columns: columns)
    }
    output.json(json(metrics, kind: "step"))
    guard
      metrics.step.isMultiple(of: logInterval) || metrics.step == totalSteps || metrics.validationLoss != nil
    else {
      return
    }
    let fields = fields(metrics, totalSteps: totalSteps)
    output.progress.record(fields)
    append(fields.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
  }

  func didEvaluate(_ result: Evaluator.Result, step: Int) {
    let sign = output.glyphs == .unicode ? "±" : "+-"
    let accuracy = AccuracyText.counted(result).map { "accuracy \($0), " } ?? ""
    keep(
      "step \(Numbers.grouped(step)): \(accuracy)validation loss \(Numbers.fixed(result.loss, decimals: 4)) \(sign) "
        + "\(Numbers.fixed(result.standardError, decimals: 4)) over \(Numbers.grouped(result.scoredTokens)) tokens"
    )
    output.json([
      "schema": 1, "kind": "evaluation", "step": .integer(step), "validation_loss": .number(result.loss),
      "validation_loss_error": .number(result.standardError), "scored_tokens": .integer(result.scoredTokens),
      "validation_accuracy": JSONText(result.accuracy),
    ])
  }

  func didSample(_ text: String, step: Int) {
    keep("step \(Numbers.grouped(step)): sample: \(JSONText.string(text).description)")
    output.json(["schema": 1, "kind": "sample", "step": .integer(step), "text": .string(text)])
  }

  func didSaveCheckpoint(_ path: String, step: Int, isBest: Bool) {
    keep("step \(Numbers.grouped(step)): saved \(path)\(isBest ? " (best so far)" : "")")
    output.json([
      "schema": 1, "kind": "checkpoint", "step": .integer(step), "path": .string(path),
      "best": .boolean(isBest),
    ])
  }

  func didChoose(totalSteps: Int, secondsPerStep: Double) {
    keep(
      "\(Numbers.grouped(totalSteps)) steps in all fit the time: \(Numbers.duration(secondsPerStep)) a step (measured)"
    )
    output.json([
      "schema": 1, "kind": "chosen_steps", "steps": .integer(totalSteps),
      "step_time_s": .number(secondsPerStep),
    ])
    remaining = RemainingTime(totalSteps: totalSteps)
  }

  /// The limit may be passed by this share: the number of steps was chosen to end before it.
  private static let grace = 0.02

  /// Begins to count the time that the run may take.
  func begin() { start = Call.now() }

  /// Whether the run has taken longer than it may, as when the machine became slower after the first steps were timed.
  var isTimeOver: Bool { limit.map { Call.now() - start > $0 * (1 + Self.grace) } ?? false }

  func request() -> TrainingRequest {
    if Interruption.shared.stopReason != nil { return .stop }
    if let stopStep, lastStep >= stopStep { return .stop }
    if isTimeOver { return .stop }
    return Interruption.shared.takeCheckpointRequest() ? .save : .goOn
  }

  /// A line that scrolls above the block and goes into the log.
  func keep(_ line: String) {
    output.narrate(line)
    append(line)
  }

  /// A line for the log alone.
  func append(_ line: String) {
    do {
      try log.append(Array("\(Timestamp.iso(Call.wallTime())) \(line)\n".utf8))
    } catch {
      if logFailure == nil { logFailure = error }
    }
  }

  // MARK: Text

  private func share(_ seconds: Double) -> Double? {
    guard let idealStepSeconds, seconds > 0 else { return nil }
    return idealStepSeconds / seconds
  }

  private func block(_ metrics: StepMetrics, totalSteps: Int, seconds: Double, columns: Int) -> [String] {
    let style = output.narrationStyle
    var columnsAndCells: [(Table.Column, String)] = [
      (.init("  step", .right), Numbers.grouped(metrics.step)),
      (.init("loss", .right), Numbers.fixed(metrics.loss, decimals: 3)),
      (.init("val", .right), validationLoss.map { Numbers.fixed($0, decimals: 3) } ?? "-"),
    ]
    // Only a task with answers has an accuracy.
    if let validationAccuracy {
      columnsAndCells.append((.init("acc", .right), Numbers.fixed(validationAccuracy, decimals: 3)))
    }
    columnsAndCells += [
      (.init("lr", .right, priority: 2), Numbers.scientific(metrics.learningRate)),
      (.init("|g|", .right, priority: 3), Numbers.significant(metrics.gradientNorm)),
      (.init("tok/s", .right), Numbers.grouped(Int(metrics.tokensPerSecond))),
      (.init("of matmul", .right, priority: 4), share(seconds).map { Numbers.percent($0) } ?? "-"),
      (.init("mem", .right, priority: 5), Numbers.bytes(metrics.memoryByteCount)),
    ]
    var table = Table(columnsAndCells.map(\.0))
    table.append(columnsAndCells.map(\.1))
    let rows = table.rendered(columns: columns, style: style, glyphs: output.glyphs).lines
    let isOpen = totalSteps == TrainingOptions.unlimitedSteps
    let done = isOpen ? 0 : Double(metrics.step) / Double(max(1, totalSteps))
    let left = remaining.secondsLeft.map { "\(Numbers.duration($0)) left" } ?? "measuring"
    let dot = output.glyphs.separator
    let facts =
      isOpen
      ? "timing the first steps"
      : "\(Numbers.percent(done))  \(Numbers.grouped(metrics.step))/\(Numbers.grouped(totalSteps))\(dot)loss "
        + "\(Numbers.fixed(smoothedLoss ?? metrics.loss, decimals: 3))\(dot)\(left)"
    let bar = progressBar(
      done, columns: max(10, min(32, columns - displayWidth(facts) - 4)), glyphs: output.glyphs)
    return rows + ["  \(bar) \(facts)"]
  }

  private func fields(_ metrics: StepMetrics, totalSteps: Int) -> [(key: String, value: String)] {
    let isOpen = totalSteps == TrainingOptions.unlimitedSteps
    var fields = [
      (key: "step", value: isOpen ? "\(metrics.step)" : "\(metrics.step)/\(totalSteps)"),
      (key: "loss", value: Numbers.fixed(metrics.loss, decimals: 4)),
    ]
    if let loss = metrics.validationLoss {
      fields.append((key: "val", value: Numbers.fixed(loss, decimals: 4)))
    }
    if let accuracy = metrics.validationAccuracy {
      fields.append((key: "acc", value: Numbers.fixed(accuracy, decimals: 4)))
    }
    fields += [
      (key: "lr", value: Numbers.scientific(metrics.learningRate, digits: 2)),
      (key: "|g|", value: Numbers.significant(metrics.gradientNorm)),
      (key: "tok/s", value: "\(Int(metrics.tokensPerSecond))"),
      (key: "mem", value: "\(metrics.memoryByteCount >> 20)MiB"),
    ]
    if !isOpen, let left = remaining.secondsLeft { fields.append((key: "left", value: "\(Int(left))s")) }
    return fields
  }

  private func json(_ metrics: StepMetrics, kind: String) -> JSONText {
    guard case .object(let members) = JSONText(metrics.json) else { return JSONText(metrics.json) }
    return .object([.init("schema", 1), .init("kind", .string(kind))] + members)
  }
}
