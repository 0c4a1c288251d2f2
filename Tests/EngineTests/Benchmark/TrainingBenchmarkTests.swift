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

  /// An update that leaves nothing finite behind.
  private struct Poison: UpdateRule {
    static let name = "poison"
    let stateNames: [String] = []
    let hyperparameterCount = 1

    func update(
      parameter: PointwiseValue, gradient: PointwiseValue, state: [PointwiseValue], hyper: [PointwiseValue],
    ) -> (parameter: PointwiseValue, state: [PointwiseValue]) { (parameter * hyper[0], []) }

    func hyperparameters(_ step: OptimizerStep) -> [Double] { [.infinity] }
  }

  @Test func stepsThatAreNotFiniteAreNoResult() throws {
    let benchmark = TrainingBenchmark(
      TinyModel.llama.configuration(), TinyRun.options(steps: 1), rule: Poison())
    let error = #expect(throws: BenchmarkError.self) {
      try benchmark.run(on: HostDevice(threads: 1), .init(steps: 4))
    }
    guard case .nonFinite(1, "cpu", let place?) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.contains("forward"))
  }

  @Test func theFirstLossIsThatOfEqualLogits() throws {
    var model = TinyModel.llama.configuration()
    let limits = TrainingBenchmark.Limits(steps: 1)
    for kind in [TinyModel.llama, .gpt2] {
      let benchmark = TrainingBenchmark(kind.configuration(), TinyRun.options(steps: 1), rule: AdamW())
      let result = try benchmark.run(on: HostDevice(threads: 1), limits)
      #expect(result.firstLossShare <= 1 && result.firstLoss != result.lastLoss)
    }
    (model.vocabularySize, model.modelDimension, model.initialDeviation) = (1000, 400, 0.02)
    model.tiesEmbeddings = false
    let expected = FirstLoss(of: model, tokens: 1 << 20)
    #expect(expected.share(expected.center) == 0)
    #expect(expected.share(6.9078 + 1.05) < 1 && expected.share(6.9078 + 1.2) > 1)
    #expect(expected.share(5.8) > 1 && expected.share(.nan) > 1)
    // The own logit of a tied head: 0.02 x 400 = 8, above log 1000.
    model.tiesEmbeddings = true
    #expect(FirstLoss(of: model, tokens: 1 << 20).share(8.5) < 1)
  }

  @Test func quartilesLieBetweenNeighbours() {
    let quartiles = Quartiles([4, 1, 3, 2])
    #expect(quartiles.lower == 1.75 && quartiles.median == 2.5 && quartiles.upper == 3.25)
    #expect(Quartiles([7]).lower == 7)
  }
}
