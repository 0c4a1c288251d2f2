import Kernels
import Testing

@testable import Engine

@Suite struct MeasurementTests {
  private final class Log {
    var runs: [String] = []
  }

  private func contestant(_ name: String, _ log: Log) -> Measurement.Contestant {
    Measurement.Contestant(run: { log.runs.append(name) }, finish: {})
  }

  private var quick: Measurement {
    var measurement = Measurement(budget: 1e-9)
    measurement.sampleSeconds = 1e-9
    measurement.pause = 0
    return measurement
  }

  @Test func contestantsTakeTurnsAndAllSamplesAreKept() throws {
    let log = Log()
    let samples = try quick.samples(of: [contestant("a", log), contestant("b", log)])
    #expect(samples.count == 2 && samples.allSatisfy { $0.count == quick.leastSamples })
    let order = log.runs.reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
    // Warm-up of both, then a round per sample.
    #expect(order == (0...quick.leastSamples).flatMap { _ in ["a", "b"] })
  }

  @Test func aSeriesSaysHowManyExecutionsASampleHas() throws {
    let log = Log()
    let slow = Measurement.Contestant(
      run: { log.runs.append("x") },
      finish: {
        let start = SteadyClock.now()
        while SteadyClock.now() - start < 1e-5 {}
      })
    var measurement = quick
    #expect(try measurement.series(of: [slow])[0].executionsPerSample == 1)
    measurement.sampleSeconds = 1e-3
    log.runs = []
    let series = try measurement.series(of: [slow])[0]
    #expect(series.executionsPerSample > 1)
    #expect(log.runs.count > series.executionsPerSample * series.samples.count)
  }

  @Test func aSmallSpreadEndsBeforeTheBudget() throws {
    var measurement = quick
    measurement.budget = 1000
    measurement.spread = .infinity
    #expect(try measurement.samples(of: [contestant("a", Log())])[0].count == 7)
  }

  @Test func nobodyAndAStopGiveNoSamples() throws {
    #expect(try quick.samples(of: []).isEmpty)
    #expect(try quick.samples(of: [contestant("a", Log())], shouldStop: { true }) == [[]])
  }

  @Test func failuresOfAContestantAreThrown() {
    struct Broken: Error {}
    let broken = Measurement.Contestant(run: { throw Broken() }, finish: {})
    #expect(throws: Broken.self) { try quick.samples(of: [broken]) }
  }

  @Test func theSpreadIsTheMiddleHalfOverTheMedian() {
    #expect(Quartiles([1, 2, 3, 4, 5]).relativeSpread == 2.0 / 3)
    #expect(Quartiles([2, 2, 2]).relativeSpread == 0)
    #expect(Quartiles([0, 0]).relativeSpread == .infinity)
  }

  @Test func rivalsAreComparedWithTheRowInFrontOfThem() throws {
    func row(_ device: String, _ size: String, _ seconds: Double, isRival: Bool = false) -> BenchmarkRow {
      BenchmarkRow(
        benchmark: "matmul", parameters: [.init("m", size)], device: device, samples: [seconds], cost: nil,
        verification: .passed(worst: 0), isRival: isRival)
    }
    var wrong = row("pocl:0", "3", 1)
    wrong.verification = .failed(reason: "wrong")
    let rows = [
      row("pocl:0", "1", 1), row("openblas", "1", 2, isRival: true), row("pocl:0", "2", 2),
      row("openblas", "2", 1, isRival: true), wrong, row("openblas", "3", 9, isRival: true),
    ]
    let comparison = try #require(RivalComparison.all(of: rows).first)
    #expect(RivalComparison.all(of: rows).count == 1)
    #expect(comparison.ratios == [2, 0.5] && abs(comparison.geometricMean - 1) < 1e-15)
    #expect(comparison.minimum == 0.5 && comparison.slowest == [.init("m", "2")])
  }

  @Test func aRoofIsTheHigherOfTwoMeasurements() {
    let first = DeviceRoof(device: "a", flopsPerSecond: 2, bytesPerSecond: 5, sgemmPeak: nil)
    let second = DeviceRoof(device: "a", flopsPerSecond: 3, bytesPerSecond: 4, sgemmPeak: 1)
    let roof = DeviceRoof(device: "a", flopsPerSecond: 3, bytesPerSecond: 5, sgemmPeak: 1)
    #expect(first.raised(by: second) == roof && second.raised(by: first) == roof)
  }

  @Test func choicesHaveBothEndsAndRepeat() {
    let first = BenchmarkChoice("x").numbers(5, of: 10..<1000)
    #expect(first == BenchmarkChoice("x").numbers(5, of: 10..<1000))
    #expect(first.count == 5 && first.first == 10 && first.last == 999 && first == first.sorted())
    #expect(BenchmarkChoice("x").numbers(5, of: 0..<3) == [0, 1, 2])
  }
}
