import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct TrainingBenchmarkTests {
  @Test func countsOnlyTimedSteps() throws {
    let benchmark = TrainingBenchmark(
      TinyModel.llama.configuration(), TinyRun.options(steps: 1), rule: AdamW())
    var steps: [Int] = []
    let device = HostDevice(threads: 1)
    let result = try benchmark.run(on: device, .init(steps: 4, budget: 1e6)) { step, _ in steps.append(step) }
    #expect(steps == [0, 1, 2, 3, 4, 5])
    #expect(result.stepSeconds.count == 4)
    #expect(result.launches == 0)
    #expect(result.quartiles.lower <= result.quartiles.median)
    #expect(result.peakMemoryByteCount > 1 << 20)
    // 6 N + 6 x layers x width x time per token.
    let perToken = 6 * Double(result.parameterCount) + 6 * 2 * 12 * 8
    #expect(result.flopsPerStep == perToken * 32)
  }

  @Test func endsWhenTheSpreadIsSmallOrTheBudgetIsOver() {
    var limits = TrainingBenchmark.Limits(budget: 1e6)
    let now = SteadyClock.now()
    #expect(!limits.isDone([], since: now))
    #expect(!limits.isDone([1, 1, 1, 1], since: now))
    #expect(limits.isDone([1, 1, 1, 1, 1], since: now))
    #expect(!limits.isDone([1, 1.2, 1, 1.2, 1], since: now))
    #expect(limits.isDone([Double](repeating: 1, count: 25) + [Double](repeating: 2, count: 25), since: now))
    limits.budget = 1.5
    #expect(!limits.isDone([1], since: now))
    #expect(limits.isDone([2], since: now), "the next step would end after the budget")
    limits.steps = 3
    limits.budget = 1e6
    #expect(!limits.isDone([1, 1], since: now))
    #expect(limits.isDone([1, 2, 3], since: now))
  }

  @Test func quartilesLieBetweenNeighbours() {
    let quartiles = Quartiles([4, 1, 3, 2])
    #expect(quartiles.lower == 1.75 && quartiles.median == 2.5 && quartiles.upper == 3.25)
    #expect(Quartiles([7]).lower == 7)
  }
}
