import BenchmarkReports
import Configuration
import Engine
import Files
import NumberFormats
import Terminal

/// Trains the points of a sweep one after the other, in this process, with everything released between them.
struct SweepRun {
  private let sweep: SweepFolder
  private let call: Call
  private let lock: FolderLock
  private let retries: Bool

  /// - Parameter retries: Whether points that failed are tried again.
  init(_ sweep: SweepFolder, call: Call, retries: Bool) throws {
    self.sweep = sweep
    self.call = call
    self.retries = retries
    lock = try FolderLock(folder: sweep.path)
    try sweep.mendResults()
  }

  /// The points that are not done.
  func pending() throws -> [SweepPoint] {
    let results = try sweep.results()
    return sweep.description.points.filter { point in
      guard let result = results[point.folder ?? ""] else { return true }
      return retries && result.outcome.isFailure
    }
  }

  /// - Parameter plan: Of the points to train, in order.
  /// - Throws: ``Interrupted`` after what was begun is saved; errors that concern more than one run.
  func train(_ plan: SweepPlan) throws {
    let clock = SweepClock(plan)
    for entry in plan.entries {
      if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
      let result = try result(of: entry, clock)
      try sweep.append(result)
      clock.finish(after: result.figures?.seconds)
      report(result, entry.point)
    }
  }

  private func place(of point: SweepPoint) -> String {
    let number = (sweep.description.points.firstIndex { $0.folder == point.folder } ?? 0) + 1
    return "\(number) of \(sweep.description.points.count)"
  }

  // MARK: One point

  private func result(of entry: SweepPlan.Entry, _ clock: SweepClock) throws -> SweepResult {
    let folder = entry.point.folder ?? ""
    if let problem = entry.problem {
      return SweepResult(folder: folder, outcome: .doesNotFit, reason: problem.message)
    }
    do {
      let (ending, recipe) = try train(entry, clock)
      guard let evaluation = ending.evaluation else {
        if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
        return SweepResult(folder: folder, outcome: .failed, reason: "nothing is held out to measure on")
      }
      guard evaluation.loss.isFinite else {
        return SweepResult(folder: folder, outcome: .diverged, reason: "the validation loss is not finite")
      }
      return SweepResult(folder: folder, outcome: .finished, figures: try .init(ending, evaluation, recipe))
    } catch {
      return SweepResult(folder: folder, outcome: try Self.outcome(of: error), reason: Self.reason(error))
    }
  }

  /// A run of its own: its device, its model and its text are gone when it returns.
  private func train(_ entry: SweepPlan.Entry, _ clock: SweepClock) throws
    -> (RunEnding, RecipeCost?)
  {
    let point = entry.point
    // The configuration was resolved when the sweep began; the environment of this call has no say.
    let request = try RunRequest(RunRequest.Flags(arguments: [sweep.run(point)], environment: [:]))
    let device = try call.open(request.values.device)
    // Measured again, the rate would count in the peak of the device's memory.
    let run = try PlannedRun(
      request, device: device, call: call, readsText: true, matmulRate: entry.matmulRate)
    if let problem = run.plan.problem { throw problem }
    let display = SweepRunDisplay(
      call.output, clock: clock, place: place(of: point),
      title: point.name ?? point.settings.map(\.value).joined(separator: " "))
    let ending = try TrainingRun(run, call: call, display: display, measuresAtEnd: true).train()
    return (ending, run.plan.recipe)
  }

  /// What an error makes of a point.
  ///
  /// - Throws: The error itself if the sweep cannot go on: a stop that was asked for, a full disk, a missing text.
  private static func outcome(of error: any Error) throws -> SweepOutcome {
    switch error {
    case TrainingError.nonFinite: return .diverged
    case is Interrupted, is FileError: throw error
    default:
      let known = Failure.readable(error) as? any UserError
      return known?.exitCode == .doesNotFit ? .doesNotFit : .failed
    }
  }

  private static func reason(_ error: any Error) -> String {
    (Failure.readable(error) as? any UserError)?.message ?? "\(error)"
  }

  // MARK: Telling

  private func report(_ result: SweepResult, _ point: SweepPoint) {
    let output = call.output
    let words: String
    if let figures = result.figures {
      let accuracy = figures.accuracy.map { "accuracy \(Numbers.fixed($0, decimals: 4)), " } ?? ""
      words =
        "\(accuracy)validation loss \(Numbers.fixed(figures.loss, decimals: 4)), "
        + "\(Numbers.grouped(Int(figures.tokensPerSecond))) tokens/s, \(Numbers.duration(figures.seconds))"
    } else {
      words =
        "\(result.outcome == .doesNotFit ? "does not fit" : result.outcome.rawValue): \(result.reason ?? "")"
    }
    output.narrate("\(place(of: point))  \(result.folder): \(words)")
    guard case .object(let members) = JSONText(result.json) else { return }
    output.json(
      .object([.init("schema", 1), .init("kind", "point")] + members.filter { $0.key != "schema" }))
  }
}
