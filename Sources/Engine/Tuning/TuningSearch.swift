/// The order in which configurations are tried, and which of them wins.
///
/// The first third is tried in random order (fixed by a seed), then neighbours of the best so far come first: those that
/// differ from it in the fewest parameters. The best three are measured again, longer, before one is believed.
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
  }

  public let candidates: [[String: Int]]
  /// Seconds for the whole search.
  public let budget: Double
  /// Best candidates that are measured again.
  private static let finalists = 3
  /// The share of the budget kept for the finalists.
  private static let finalShare = 0.2

  public init(candidates: [[String: Int]], budget: Double, seed: UInt64 = 1) {
    let random = CounterRandom(seed: seed, stream: "tuning order")
    self.candidates = candidates.enumerated()
      .map { (order: random.uniform(UInt64($0.offset)), parameters: $0.element) }
      .sorted { $0.order < $1.order }.map(\.parameters)
    self.budget = budget
  }

  /// - Parameters:
  ///   - now: Seconds of a steady clock.
  ///   - shouldStop: Asked between trials.
  ///   - judge: Tries a configuration; `isFinal` asks for a longer measurement.
  ///   - onTrial: Told after each trial with the number of candidates left.
  public func run(
    now: () -> Double, shouldStop: () -> Bool = { false },
    judge: (_ parameters: [String: Int], _ isFinal: Bool) throws -> TuningOutcome,
    onTrial: (Trial, _ left: Int) -> Void = { _, _ in },
  ) rethrows -> Result {
    let start = now()
    var left = candidates
    var trials: [Trial] = []
    func attempt(_ parameters: [String: Int], isFinal: Bool) throws {
      let trial = Trial(parameters: parameters, outcome: try judge(parameters, isFinal))
      trials.append(trial)
      onTrial(trial, left.count)
    }
    while !left.isEmpty, !shouldStop(), now() - start < budget * (1 - Self.finalShare) {
      try attempt(left.remove(at: next(left, after: trials)), isFinal: false)
    }
    let finalists = Self.ranked(trials).prefix(Self.finalists).filter { ($0.outcome.gain ?? 0) > 1 }
    let firstFinal = trials.count
    for finalist in finalists where !shouldStop() { try attempt(finalist.parameters, isFinal: true) }
    let winner = Self.ranked(Array(trials[firstFinal...])).first { $0.outcome.isClearGain }
    return Result(trials: trials, winner: winner, untried: left.count)
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
