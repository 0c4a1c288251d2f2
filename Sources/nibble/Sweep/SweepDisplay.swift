import Engine
import Terminal

/// How long the rest of a sweep takes, by the speed measured so far.
final class SweepClock {
  private let entries: [SweepPlan.Entry]
  private var done = 0
  private var work = 0.0
  private var seconds = 0.0

  init(_ plan: SweepPlan) { entries = plan.entries }

  /// Notes that the next run is over.
  ///
  /// - Parameter seconds: What it took; nil for one that did not come to its end.
  func finish(after seconds: Double?) {
    if let seconds, entries[done].work > 0 {
      work += entries[done].work
      self.seconds += seconds
    }
    done += 1
  }

  /// Seconds until the last run is over; nil before the speed is known.
  func secondsLeft(_ progress: RunProgress) -> Double? {
    guard let own = progress.secondsLeft else { return nil }
    let later = entries.dropFirst(done + 1).filter { $0.problem == nil }
    let planned = entries[done].work
    // What is left of this run at its speed tells the speed until a whole run does.
    let left = planned * (1 - progress.share)
    let rate = work > 0 && seconds > 0 ? work / seconds : own > 0 && left > 0 ? left / own : nil
    let rest = later.map { entry -> Double? in
      guard entry.steps != nil else { return entry.limit }
      return rate.map { min(entry.work / $0, entry.limit ?? .infinity) }
    }
    guard rest.allSatisfy({ $0 != nil }) else { return nil }
    return own + rest.compactMap(\.self).reduce(0, +)
  }
}

/// The display of a run inside a sweep: one live line.
final class SweepRunDisplay: RunDisplay {
  private let output: Output
  private let clock: SweepClock
  /// `3 of 12`.
  private let place: String
  private let title: String
  private var lastRecord = Call.now()

  init(_ output: Output, clock: SweepClock, place: String, title: String) {
    self.output = output
    self.clock = clock
    self.place = place
    self.title = title
  }

  func keep(_ line: String) { output.narrate(line, at: .verbose) }

  /// Of a sweep only the points are results; the updates are in the runs' files.
  func json(_ value: @autoclosure () -> JSONText) {}

  func end() { output.progress.suspend() }

  func didStep(_ progress: RunProgress, isLogged: Bool) {
    output.progress.update { [line(progress, columns: $0)] }
    // One line every ten seconds is enough for a log.
    let now = Call.now()
    guard now - lastRecord >= 10 else { return }
    lastRecord = now
    let left = clock.secondsLeft(progress).map { [(key: "left_all", value: "\(Int($0))s")] } ?? []
    output.progress.record([(key: "point", value: place)] + progress.fields + left)
  }

  private func line(_ progress: RunProgress, columns: Int) -> String {
    let dot = output.glyphs.separator
    let metrics = progress.metrics
    let left = clock.secondsLeft(progress).map { "\(Numbers.duration($0)) left for all" } ?? "measuring"
    let steps =
      progress.isOpen
      ? "timing the first steps"
      : "\(Numbers.grouped(metrics.step))/\(Numbers.grouped(progress.totalSteps))"
    let facts = [
      steps, "loss \(Numbers.fixed(progress.smoothedLoss, decimals: 3))",
      "\(Numbers.grouped(Int(metrics.tokensPerSecond))) tok/s", left,
    ].joined(separator: dot)
    let head = "point \(place)  "
    let room = columns - displayWidth(head) - displayWidth(facts) - 2
    let bar =
      room >= 12 ? progressBar(progress.share, columns: min(24, room), glyphs: output.glyphs) + " " : ""
    let name = room - displayWidth(bar) > displayWidth(title) + 2 ? title + "  " : ""
    return head + name + bar + facts
  }
}
