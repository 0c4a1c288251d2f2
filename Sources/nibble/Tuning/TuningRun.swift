import Engine
import Files
import Glibc
import Kernels
import Terminal

/// Searches problem after problem and writes the database after each.
struct TuningRun {
  /// What a search of one problem found.
  struct Result {
    let key: TuningKey
    let standard: [String: Int]
    let search: TuningSearch.Result
    /// FLOPs of one execution of what was timed.
    let flops: Double
  }

  private let call: Call
  private let device: DeviceDescription
  private let budget: Double
  private let patience: Double
  private let path: String
  /// Seconds below which a search finds nothing: some trials and a final.
  private static let leastSeconds = 4.0

  init(_ call: Call, device: DeviceDescription, budget: Double, patience: Double, path: String) {
    self.call = call
    self.device = device
    self.budget = budget
    self.patience = patience
    self.path = path
  }

  func run(_ problems: [TuningProblem]) throws -> [Result] {
    let trials = SupervisedTrials(device: device.name, showsErrors: call.globals.verbose > 0)
    // Read first: a damaged file is known before an hour is spent.
    var database = Folder.exists(path) ? try TuningDatabase(path: path) : TuningDatabase()
    let start = Call.now()
    var results: [Result] = []
    let covered = min(problems.count, max(1, Int(budget / Self.leastSeconds)))
    for (number, problem) in problems.prefix(covered).enumerated() where Interruption.shared.stopReason == nil
    {
      let share = (budget - (Call.now() - start)) / Double(covered - number)
      guard share > 0 else { break }
      let present = database.entries.last { $0.key == problem.key && $0.device == device.exactKey }?
        .parameters
      let result = try search(
        problem, seconds: share, present: present, trials, place: (number + 1, problems.count))
      results.append(result)
      if keep(result, in: &database) { try database.write(to: path) }
    }
    call.output.progress.finish()
    if results.count < problems.count, Interruption.shared.stopReason == nil {
      call.output.narrate(
        "the budget covers \(results.count) of \(problems.count) problems; --budget \(Int(Self.leastSeconds) * problems.count) covers all"
      )
    }
    return results
  }

  private func search(
    _ problem: TuningProblem, seconds: Double, present: [String: Int]?, _ trials: SupervisedTrials,
    place: (Int, Int),
  ) throws -> Result {
    // An entry that this version cannot use is no candidate.
    let usable = present.flatMap { problem.fault(of: $0, on: device) == nil ? $0 : nil }
    let search = TuningSearch(
      candidates: problem.candidates(for: device), present: usable, budget: seconds)
    let start = Call.now()
    var best = 1.0
    let found = try search.run(
      now: { Call.now() }, shouldStop: { Interruption.shared.stopReason != nil },
      judge: { parameters, seconds in
        try trials.judge(
          TuningRequest(key: problem.key, parameters: parameters, seconds: seconds), patience: patience)
      },
      onTrial: { trial, left in
        best = max(best, trial.outcome.gain ?? 0)
        let remaining = max(0, seconds - (Call.now() - start))
        let known = search.candidates.count
        call.output.narrate(
          "\(problem.key.name): \(TuningReport.text(trial.parameters)): \(TuningReport.text(trial.outcome))",
          at: .verbose)
        call.output.progress.update { _ in
          let place = "tuning \(problem.key.name) (\(place.0) of \(place.1))"
          let state = "\(known - left) of \(known) tried, best \(TuningReport.percent(best))"
          return ["\(place): \(state), \(Numbers.duration(remaining)) left"]
        }
      })
    return Result(
      key: problem.key, standard: problem.standard(for: device), search: found, flops: trials.flops)
  }

  /// Puts a winner into the database; takes an entry out that is no longer better than the standard.
  ///
  /// - Returns: Whether the database changed.
  private func keep(_ result: Result, in database: inout TuningDatabase) -> Bool {
    guard let winner = result.search.winner, let medians = winner.outcome.medians else {
      // A search that was cut short says nothing against an older entry.
      guard result.search.isComplete else { return false }
      return database.remove(result.key, device: device.exactKey)
    }
    database.set(
      TuningDatabase.Entry(
        key: result.key, device: device.exactKey, architecture: device.architectureKey,
        parameters: winner.parameters, gflops: result.flops / medians.candidate / 1e9,
        standardGflops: result.flops / medians.standard / 1e9, date: Self.today()))
    return true
  }

  private static func today() -> String {
    var seconds = time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let two = { (number: Int32) in number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
  }
}
