import Testing

@testable import Engine

@Suite struct TuningSearchTests {
  private static let candidates = (1...30).map { ["depth": $0 % 6, "rows": $0 / 6] }

  /// Times with a spread of 1 % round a true gain.
  private static func measured(gain: Double) -> TuningOutcome {
    let noise = [0.99, 1.0, 1.0, 1.005, 1.01]
    return .measured(candidate: noise.map { $0 / gain }, standard: noise)
  }

  private static func gain(_ parameters: [String: Int]) -> Double {
    1.2 - 0.05 * Double(abs((parameters["depth"] ?? 0) - 4) + abs((parameters["rows"] ?? 0) - 2))
  }

  @Test func theBestOfAllIsFoundAndMeasuredAgain() {
    var finals = 0
    let result = TuningSearch(candidates: Self.candidates, budget: 1e6).run(
      now: { 0 },
      judge: { parameters, seconds in
        finals += seconds == TuningSearch.measurement.final ? 1 : 0
        return Self.measured(gain: Self.gain(parameters))
      })
    #expect(result.winner?.parameters == ["depth": 4, "rows": 2])
    #expect(result.untried == 0)
    #expect(finals == 3)
    #expect(result.trials.count == Self.candidates.count + 3)
  }

  @Test func aBudgetLeavesTheRestUntried() {
    var clock = 0.0
    let result = TuningSearch(candidates: Self.candidates, budget: 10).run(
      now: { clock },
      judge: { parameters, _ in
        clock += 1
        return Self.measured(gain: Self.gain(parameters))
      })
    #expect(result.untried == Self.candidates.count - 8)
    // A third final would end after the budget.
    #expect(result.trials.count == 8 + 2)
    #expect(clock == 10 && !result.isComplete)
  }

  @Test func finalsShareWhatIsLeft() {
    var clock = 0.0
    var finals: [Double] = []
    _ = TuningSearch(candidates: Self.candidates, budget: 10).run(
      now: { clock },
      judge: { parameters, seconds in
        if seconds == TuningSearch.measurement.trial { clock += 0.5 } else { finals.append(seconds) }
        return Self.measured(gain: Self.gain(parameters))
      })
    // 2 s for three finals, half of it for checks; nothing takes time here, so the later ones get more.
    #expect(finals.count == 3 && abs(finals[0] - 1.0 / 3) < 1e-9 && finals.allSatisfy { $0 <= 1 })
  }

  /// What the database holds comes first, and only what is faster in a final beside it takes its place.
  @Test func aSearchThatIsCutShortReplacesNothingByWhatIsWorse() {
    let present = ["depth": 4, "rows": 2]
    for budget in [3.0, 1e6] {
      var clock = 0.0
      var order: [[String: Int]] = []
      let result = TuningSearch(candidates: Self.candidates, present: present, budget: budget).run(
        now: { clock },
        judge: { parameters, _ in
          clock += 0.5
          order.append(parameters)
          return Self.measured(gain: Self.gain(parameters))
        })
      #expect(order.first == present && order.filter { $0 == present }.count == 2)
      #expect(result.winner?.parameters == present)
      #expect(result.isComplete == (budget > 3))
    }
  }

  @Test func neighboursOfTheBestComeAfterTheFirstThird() {
    var order: [[String: Int]] = []
    _ = TuningSearch(candidates: Self.candidates, budget: 1e6).run(
      now: { 0 },
      judge: { parameters, seconds in
        if seconds == TuningSearch.measurement.trial { order.append(parameters) }
        return Self.measured(gain: Self.gain(parameters))
      })
    let first = order.prefix(10).max { Self.gain($0) < Self.gain($1) } ?? [:]
    let next = order[10]
    #expect((first["depth"] == next["depth"]) != (first["rows"] == next["rows"]))
  }

  @Test func whatIsNotTimedOrNotClearlyBetterNeverWins() {
    let outcomes: [TuningOutcome] = [
      .wrong(reason: "x"), .failed(reason: "x"), .hung(afterSeconds: 1), .crashed(reason: "x"),
      Self.measured(gain: 1.015), Self.measured(gain: 0.5),
      // 5 % better in the median, but the spread is larger.
      .measured(candidate: [0.8, 0.95, 1.2], standard: [0.9, 1, 1.1]),
    ]
    for outcome in outcomes {
      let result = TuningSearch(candidates: [["a": 1], ["a": 2]], budget: 1e6).run(
        now: { 0 }, judge: { _, _ in outcome })
      #expect(result.winner == nil, "\(outcome)")
    }
  }

  @Test func aFinalThatDisappointsDoesNotWin() {
    let result = TuningSearch(candidates: [["a": 1]], budget: 1e6).run(
      now: { 0 },
      judge: { _, seconds in
        Self.measured(gain: seconds == TuningSearch.measurement.final ? 1 : 1.5)
      })
    #expect(result.winner == nil)
  }

  @Test func aRequestToStopIsHeard() {
    var trials = 0
    let result = TuningSearch(candidates: Self.candidates, budget: 1e6).run(
      now: { 0 }, shouldStop: { trials == 3 },
      judge: { parameters, _ in
        trials += 1
        return Self.measured(gain: 2)
      })
    #expect(trials == 3)
    #expect(result.winner == nil)
  }

  /// The child of an interrupted call dies of the same signal: that says nothing about its configuration.
  @Test func aTrialThatTheCallerInterruptedIsDropped() {
    var trials = 0
    let result = TuningSearch(candidates: Self.candidates, budget: 1e6).run(
      now: { 0 }, shouldStop: { trials == 3 },
      judge: { parameters, _ in
        trials += 1
        return trials == 3 ? .crashed(reason: "was ended by signal 2") : Self.measured(gain: 2)
      })
    #expect(trials == 3 && result.trials.count == 2)
    #expect(result.untried == Self.candidates.count - 2 && !result.isComplete)
  }
}
