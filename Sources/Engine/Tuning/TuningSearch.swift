/// The order in which configurations are tried, and which of them wins.
///
/// The first third is tried in random order (fixed by a seed), then neighbours of the best so far come first: those that
/// differ from it in the fewest parameters. What the database holds already is tried before all. The best three, and
/// what the database holds, are measured again, longer, before one is believed: so a search that was cut short replaces
/// nothing by something slower.
public struct TuningSearch {
  /// A configuration and what became of it.
  public struct Trial: Sendable, Hashable {
    public let parameters: [String: Int]
    public let outcome: TuningOutcome
  }

  /// What a search found.
  public struct Result: Sendable, Hashable {
    /// Every trial in order; the last ones are the repeated measurements.
    public let trials: [Trial]
    /// The best configuration, when it is clearly better than the standard.
    public let winner: Trial?
    /// Candidates that the budget left untried.
    public let untried: Int
    /// Whether nothing was left out, finals included.
    public let isComplete: Bool
  }

  public let candidates: [[String: Int]]
  /// Seconds for the whole search.
  public let budget: Double
  /// Seconds of one measurement in the search, and in the final at most.
  static let measurement = (trial: 0.4, final: 1.5)
  /// Below this a final says no more than the search did.
  private static let leastFinal = 0.1
  /// Best candidates that are measured again.
  private static let finalists = 3
  /// The share of the budget kept for the finalists.
  private static let finalShare = 0.2
  /// What the database holds.
  private let present: [String: Int]?

  /// - Parameter present: The configuration that the database holds; need not be among the candidates.
  public init(
    candidates: [[String: Int]], present: [String: Int]? = nil, budget: Double, seed: UInt64 = 1,
  ) {
    let random = CounterRandom(seed: seed, stream: "tuning order")
    let order = candidates.enumerated()
      .map { (order: random.uniform(UInt64($0.offset)), parameters: $0.element) }
      .sorted { $0.order < $1.order }.map(\.parameters)
    self.candidates = (present.map { [$0] } ?? []) + order.filter { $0 != present }
    self.present = present
    self.budget = budget
  }

  /// - Parameters:
  ///   - now: Seconds of a steady clock.
  ///   - shouldStop: Asked between trials; a trial without a result that it interrupted is dropped.
  ///   - judge: Tries a configuration and measures it for some seconds.
  ///   - onTrial: Told after each trial with the number of candidates left.
  public func run(
    now: () -> Double, shouldStop: () -> Bool = { false },
    judge: (_ parameters: [String: Int], _ seconds: Double) throws -> TuningOutcome,
    onTrial: (Trial, _ left: Int) -> Void = { _, _ in },
  ) rethrows -> Result {
    let start = now()
    var left = candidates
    var trials: [Trial] = []
    /// - Returns: Whether the trial counts.
    func attempt(_ parameters: [String: Int], seconds: Double) throws -> Bool {
      let trial = Trial(parameters: parameters, outcome: try judge(parameters, seconds))
      if trial.outcome.gain == nil, shouldStop() { return false }
      trials.append(trial)
      onTrial(trial, left.count)
      return true
    }
    while !left.isEmpty, !shouldStop(), now() - start < budget * (1 - Self.finalShare) {
      let next = left.remove(at: next(left, after: trials))
      if !(try attempt(next, seconds: Self.measurement.trial)) { left.append(next) }
    }
    let best = self.finalists(trials)
    // A short final tells nothing: better fewer of them.
    let affordable = max(0, Int((budget - (now() - start)) / (2 * Self.leastFinal)))
    var finalists = best.prefix(affordable)
    let firstFinal = trials.count
    while let finalist = finalists.first, !shouldStop() {
      // Half of its share for measuring, the rest for what is checked before.
      let share = (budget - (now() - start)) / Double(finalists.count)
      guard share / 2 >= Self.leastFinal else { break }
      finalists = finalists.dropFirst()
      _ = try attempt(finalist, seconds: min(Self.measurement.final, share / 2))
    }
    let winner = Self.ranked(Array(trials[firstFinal...])).first { $0.outcome.isClearGain }
    return Result(
      trials: trials, winner: winner,
      untried: left.count,
      isComplete: left.isEmpty && finalists.isEmpty && best.count <= affordable && !shouldStop())
  }

  /// What the database holds first: nothing wins before it was measured beside it.
  private func finalists(_ trials: [Trial]) -> [[String: Int]] {
    let best = Self.ranked(trials).filter { ($0.outcome.gain ?? 0) > 1 }.map(\.parameters)
    return best.filter { $0 == present } + best.prefix(Self.finalists).filter { $0 != present }
  }

  private static func ranked(_ trials: [Trial]) -> [Trial] {
    trials.filter { $0.outcome.gain != nil }.sorted { ($0.outcome.gain ?? 0) > ($1.outcome.gain ?? 0) }
  }

  private func next(_ left: [[String: Int]], after trials: [Trial]) -> Int {
    guard trials.count >= candidates.count / 3, let best = Self.ranked(trials).first else { return 0 }
    return left.indices.min {
      Self.distance(left[$0], best.parameters) < Self.distance(left[$1], best.parameters)
    }
      ?? 0
  }

  /// The number of parameters in which two configurations differ.
  private static func distance(_ a: [String: Int], _ b: [String: Int]) -> Int {
    Set(a.keys).union(b.keys).count { a[$0] != b[$0] }
  }
}
