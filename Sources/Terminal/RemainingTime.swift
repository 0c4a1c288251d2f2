/// Estimates how long the rest of a run takes.
///
/// A moving average over the last steps, without the first ten (compilation, cold caches) and without pauses
/// (evaluation, checkpoints, samples). Times are seconds of any steady clock.
public struct RemainingTime: Sendable {
  /// Steps left out at the start.
  public static let skippedSteps = 10
  /// Steps averaged over.
  public static let window = 50

  /// The steps of the whole run.
  public let totalSteps: Int
  private var firstStep: Int?
  private var lastStep = 0
  private var lastTime: Double?
  private var pauseStart: Double?
  private var pausedSinceLast = 0.0
  private var durations: [Double] = []
  private var next = 0

  /// An estimator for a run that ends after step `totalSteps`.
  public init(totalSteps: Int) {
    self.totalSteps = totalSteps
  }

  /// Notes that a step is done.
  ///
  /// - Parameters:
  ///   - step: The step's number; a resumed run starts where it likes. Several steps may pass between two calls.
  ///   - time: When, in seconds.
  public mutating func finishStep(_ step: Int, at time: Double) {
    let first = firstStep ?? step
    firstStep = first
    if let last = lastTime, step > lastStep, step - first >= RemainingTime.skippedSteps {
      let perStep = max(0, time - last - pausedSinceLast) / Double(step - lastStep)
      if durations.count < RemainingTime.window {
        durations.append(perStep)
      } else {
        durations[next] = perStep
        next = (next + 1) % RemainingTime.window
      }
    }
    lastTime = time
    lastStep = step
    pausedSinceLast = 0
  }

  /// Notes that something other than steps begins.
  public mutating func beginPause(at time: Double) {
    if pauseStart == nil { pauseStart = time }
  }

  /// Notes that steps go on.
  public mutating func endPause(at time: Double) {
    guard let start = pauseStart else { return }
    pausedSinceLast += max(0, time - start)
    pauseStart = nil
  }

  /// Mean seconds per step, nil before the eleventh step.
  public var secondsPerStep: Double? {
    durations.isEmpty ? nil : durations.reduce(0, +) / Double(durations.count)
  }

  /// Seconds until the last step is done, nil while unknown.
  public var secondsLeft: Double? {
    secondsPerStep.map { $0 * Double(max(0, totalSteps - lastStep)) }
  }
}
