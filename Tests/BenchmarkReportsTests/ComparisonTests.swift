import Engine
import Files
import Terminal
import Testing

@testable import BenchmarkReports

@Suite struct ComparisonTests {
  /// Samples around a centre whose interquartile range is about 1.35 times the noise, in a scrambled order.
  private func samples(_ center: Double, noise: Double, count: Int, seed: UInt64 = 1) -> [Double] {
    let random = CounterRandom(seed: seed, stream: "benchmark samples")
    return (0..<count).map { index in
      // The sum of twelve uniform numbers has a standard deviation of 1.
      let sum = (0..<12).reduce(0.0) { sum, part in
        sum + Double(random.integer(UInt64(12 * index + part), below: 1 << 20)) / Double(1 << 20)
      }
      return center * (1 + noise * (sum - 6))
    }
  }

  private func verdict(_ now: [Double], _ earlier: [Double]) throws -> BenchmarkVerdict {
    let row = try #require(compare(now, earlier).rows.first)
    return row.verdict
  }

  private func compare(_ now: [Double], _ earlier: [Double]) -> BenchmarkComparison {
    func report(_ samples: [Double]) -> BenchmarkReport {
      BenchmarkReport(
        rows: [Fixed.matmul("pocl:0", samples: samples, form: "nt")], roofs: [],
        environment: Fixed.environment)
    }
    return BenchmarkComparison(report(now), against: report(earlier), name: "before")
  }

  @Test(arguments: [6, 15, 60]) func judgesSamples(count: Int) throws {
    let base = samples(1e-3, noise: 0.01, count: count)
    #expect(try verdict(samples(1e-3, noise: 0.01, count: count, seed: 2), base) == .same)
    #expect(try verdict(samples(1.1e-3, noise: 0.01, count: count, seed: 3), base) == .slower)
    #expect(try verdict(base, samples(1.1e-3, noise: 0.01, count: count, seed: 3)) == .faster)
    let noisy = samples(1e-3, noise: 0.05, count: count, seed: 4)
    #expect(try verdict(samples(1.01e-3, noise: 0.05, count: count, seed: 5), noisy) == .same)
  }

  /// Significant but below 2 % is no change.
  @Test func smallChangesDoNotCount() throws {
    let base = samples(1e-3, noise: 0.001, count: 30)
    let now = samples(1.01e-3, noise: 0.001, count: 30, seed: 2)
    #expect(rankTestProbability(now, base) < BenchmarkVerdict.level)
    #expect(try verdict(now, base) == .same)
  }

  @Test func fewSamplesAreNotJudged() throws {
    #expect(try verdict([2, 2, 2, 2], [1, 1, 1, 1, 1]) == .undecided)
    #expect(try verdict([2, 2, 2, 2, 2], [1, 1, 1, 1, 1]) == .slower)
  }

  /// Five against five completely apart: 2 of the 252 divisions; with all equal: every division.
  @Test func rankTestIsExactForFewSamples() {
    let low = [1.0, 2, 3, 4, 5]
    #expect(abs(rankTestProbability(low, low.map { $0 + 10 }) - 2 / 252) < 1e-12)
    #expect(rankTestProbability([1, 1, 1], [1, 1, 1]) == 1)
    // scipy.stats.mannwhitneyu([1, 2, 6], [3, 4, 5, 7, 8], method="exact") says 0.25.
    #expect(abs(rankTestProbability([1, 2, 6], [3, 4, 5, 7, 8]) - 0.25) < 1e-12)
  }

  /// Both forms of the test agree where they meet.
  @Test func rankTestIsContinuousAcrossItsForms() {
    let a = samples(1.00, noise: 0.01, count: 20)
    let b = samples(1.005, noise: 0.01, count: 20, seed: 2)
    let exact = rankTestProbability(a, b)
    let normal = rankTestProbability(a + [1.0025], b)
    #expect(abs(exact - normal) < 0.3 * exact + 0.01)
  }

  @Test func gateNeedsSlownessBeyondNoise() {
    let base = samples(1e-3, noise: 0.01, count: 20)
    let slower = compare(samples(1.1e-3, noise: 0.01, count: 20, seed: 2), base)
    #expect(slower.failures(gate: 5).count == 1)
    #expect(slower.failures(gate: 20).isEmpty)
    let noisy = compare(
      samples(1.06e-3, noise: 0.2, count: 20, seed: 3), samples(1e-3, noise: 0.2, count: 20, seed: 4))
    #expect(noisy.failures(gate: 1).isEmpty)
    #expect(compare([1.5e-3], [1e-3]).failures(gate: 5).count == 1)
  }

  @Test func pairsRowsAndListsTheRest() throws {
    var now = Fixed.report
    let extra = Fixed.matmul("pocl:0", samples: [1, 1, 1, 1, 1], form: "nn")
    now.rows.append(extra)
    var earlier = Fixed.report
    earlier.rows[0].parameters.reverse()
    earlier.rows.append(Fixed.matmul("pocl:1", samples: [1], form: "nt"))
    earlier.environment.devices[0].driver = "1.8"
    let comparison = BenchmarkComparison(now, against: earlier, name: "before")
    #expect(comparison.rows.map(\.verdict) == [.same, .same, .failedNow])
    #expect(comparison.onlyNow == [extra])
    #expect(comparison.onlyEarlier.map(\.device) == ["pocl:1"])
    #expect(comparison.overallSpeed == 1)
    #expect(comparison.rivalSpeed == 1)
    #expect(comparison.differences == ["the driver of pocl:0 was '1.8' and is now '3.1'"])
    let said = comparison.captions.joined(separator: "\n")
    #expect(said.contains("only now: matmul m 512, form nn on pocl:0"))
    #expect(said.contains("only in before: matmul m 512, form nt on pocl:1"))
  }

  @Test func rowsOfOursThatAreGoneAreNamed() {
    let now = BenchmarkReport(rows: [Fixed.ours], roofs: [], environment: Fixed.environment)
    let comparison = BenchmarkComparison(now, against: Fixed.report, name: "before")
    #expect(comparison.onlyEarlier == [Fixed.rival, Fixed.red])
    #expect(comparison.vanished == [Fixed.red])
  }

  @Test func otherVariablesBuildsAndConfigurationsAreDifferences() {
    var now = Fixed.report
    now.environment.variables = ["NIBBLE_TUNING": "off", "NIBBLE_CACHE": "/x"]
    now.environment.build = "debug"
    now.environment.blasThreads = 1
    now.rows[0].configurations["matmul/nt large"] = ["depth": 256, "rows": 12]
    let comparison = BenchmarkComparison(now, against: Fixed.report, name: "before")
    #expect(
      comparison.differences == [
        "the number of BLAS threads was '2' and is now '1'", "the build was 'release' and is now 'debug'",
        "NIBBLE_TUNING was '' and is now 'off'", "POCL_AFFINITY was '1' and is now ''",
        "the configuration of pocl:0 matmul/nt large was 'depth=384 rows=12' and is now "
          + "'depth=256 rows=12 or depth=384 rows=12'",
      ])
    #expect(now.captions().contains { $0.contains("a debug build") })
  }

  @Test func longListsOfRowsAreCut() throws {
    var now = Fixed.report
    now.rows += (0..<9).map { Fixed.matmul("pocl:0", samples: [1], form: "form \($0)") }
    let comparison = BenchmarkComparison(now, against: Fixed.report, name: "before")
    let sentence = try #require(comparison.captions.first { $0.hasPrefix("only now: ") })
    #expect(sentence.hasSuffix("form form 5 on pocl:0 and 3 more"))
    #expect(comparison.json["only_now"]?.arrayValue?.count == 9)
  }

  @Test func equalRowsArePairedInOrder() {
    func row(_ time: Double) -> BenchmarkRow {
      Fixed.matmul("pocl:0", samples: [Double](repeating: time, count: 5), form: "nt")
    }
    let now = BenchmarkReport(rows: [row(1), row(3)], roofs: [], environment: Fixed.environment)
    let earlier = BenchmarkReport(rows: [row(2), row(3)], roofs: [], environment: Fixed.environment)
    let comparison = BenchmarkComparison(now, against: earlier, name: "before")
    #expect(comparison.rows.map(\.speed) == [2, 1])
    #expect(comparison.rows.map(\.verdict) == [.faster, .same])
  }

  @Test func showsBothMedians() {
    let text = compare([2e-3, 2e-3, 2e-3, 2e-3, 2e-3], [1e-3, 1e-3, 1e-3, 1e-3, 1e-3]).table().rendered()
    #expect(
      text.lines == [
        "BENCHMARK    m  form  DEVICE      NOW   before   SPEED  NOISE  VERDICT",
        "matmul     512  nt    pocl:0  2.00 ms  1.00 ms  0.500x  2.0 %  slower",
      ])
  }
}
