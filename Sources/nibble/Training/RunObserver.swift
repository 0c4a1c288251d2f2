import Configuration
import Engine
import Files
import Terminal

/// Follows a run while it works: what is known after every update, lines that stay, `log.txt`, and when to stop.
///
/// What a person sees of it is a `RunDisplay`'s matter.
final class RunObserver: TrainingObserver {
  private let display: any RunDisplay
  private let glyphs: Glyphs
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
    _ display: any RunDisplay, glyphs: Glyphs, log: AppendingFile, settings: LogSettings, plan: RunPlan,
    stopStep: Int?,
  ) {
    self.display = display
    self.glyphs = glyphs
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
    let isLogged =
      metrics.step.isMultiple(of: logInterval) || metrics.step == totalSteps || metrics.validationLoss != nil
    let progress = RunProgress(
      metrics: metrics, totalSteps: totalSteps, smoothedLoss: smoothedLoss ?? metrics.loss,
      validationLoss: validationLoss, validationAccuracy: validationAccuracy,
      shareOfMatmul: share(seconds), secondsLeft: remaining.secondsLeft)
    display.didStep(progress, isLogged: isLogged)
    guard isLogged else { return }
    append(progress.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
  }

  private func share(_ seconds: Double) -> Double? {
    guard let idealStepSeconds, seconds > 0 else { return nil }
    return idealStepSeconds / seconds
  }

  func didEvaluate(_ result: Evaluator.Result, step: Int) {
    let sign = glyphs == .unicode ? "±" : "+-"
    let accuracy = AccuracyText.counted(result).map { "accuracy \($0), " } ?? ""
    keep(
      "step \(Numbers.grouped(step)): \(accuracy)validation loss \(Numbers.fixed(result.loss, decimals: 4)) \(sign) "
        + "\(Numbers.fixed(result.standardError, decimals: 4)) over \(Numbers.grouped(result.scoredTokens)) tokens"
    )
    display.json([
      "schema": 1, "kind": "evaluation", "step": .integer(step), "validation_loss": .number(result.loss),
      "validation_loss_error": .number(result.standardError), "scored_tokens": .integer(result.scoredTokens),
      "validation_accuracy": JSONText(result.accuracy),
    ])
  }

  func didSample(_ text: String, step: Int) {
    keep("step \(Numbers.grouped(step)): sample: \(JSONText.string(text).description)")
    display.json(["schema": 1, "kind": "sample", "step": .integer(step), "text": .string(text)])
  }

  func didSaveCheckpoint(_ path: String, step: Int, isBest: Bool) {
    keep("step \(Numbers.grouped(step)): saved \(path)\(isBest ? " (best so far)" : "")")
    display.json([
      "schema": 1, "kind": "checkpoint", "step": .integer(step), "path": .string(path),
      "best": .boolean(isBest),
    ])
  }

  func didChoose(totalSteps: Int, secondsPerStep: Double) {
    keep(
      "\(Numbers.grouped(totalSteps)) steps in all fit the time: \(Numbers.duration(secondsPerStep)) a step (measured)"
    )
    display.json([
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
    display.keep(line)
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
}
