import Files
import Glibc
import Terminal
import Testing

@testable import BenchmarkReports

/// Reports of made-up results, whose numbers can be worked out by hand.
@Suite struct SweepReportTests {
  private func row(
    _ kind: String, _ seed: String, loss: Double?, cost: Double = 10, outcome: SweepOutcome = .finished,
    name: String? = nil,
  ) -> SweepRow {
    SweepRow(
      folder: "\(name ?? kind)-\(seed)", name: name, keys: [.init("mixer.kind", kind), .init("seed", seed)],
      outcome: outcome, reason: outcome.isFailure ? "why" : nil,
      figures: loss.map {
        .init(
          loss: $0, lossError: 0.01, tokensPerSecond: 1e6 / cost, memoryByteCount: 1 << 20, steps: 10,
          tokens: 1000, seconds: 2)
      }, cost: loss.map { _ in cost })
  }

  private func report(_ rows: [SweepRow], _ baseline: SweepRow.Key...) throws -> SweepReport {
    try SweepReport(rows, baseline: baseline, costUnit: SweepCostUnit("microseconds"))
  }

  /// The seeds' losses differ far more than the kinds': only paired differences show who is better.
  private var paired: [SweepRow] {
    [
      row("attention", "1", loss: 2), row("attention", "2", loss: 3), row("attention", "3", loss: 4),
      row("delta", "3", loss: 4.08, cost: 4), row("delta", "1", loss: 2.02, cost: 4),
      row("delta", "2", loss: 3.06, cost: 4),
    ]
  }

  @Test func gapsArePairedBySeed() throws {
    let report = try report(paired, .init("mixer.kind", "attention"))
    #expect(report.groups.map(\.title) == ["attention", "delta"])
    #expect(report.groups.map(\.rank) == [1, 2])
    let (attention, delta) = (report.groups[0], report.groups[1])
    #expect(attention.isBaseline && attention.gap?.share.mean == 0 && !delta.isBaseline)
    let gap = try #require(delta.gap)
    // 1 %, 2 % and 2 %: mean 5/3 %, deviation sqrt(1/3) %, error a third of a per cent.
    #expect(abs(gap.share.mean - 0.05 / 3) < 1e-12 && gap.share.count == 3)
    #expect(abs(try #require(gap.share.error) - 0.01 / 3) < 1e-12)
    #expect(abs(gap.nats.mean - 0.16 / 3) < 1e-12)
    #expect(abs(try #require(delta.loss).mean - 9.16 / 3) < 1e-12)
    // Of 2, 3 and 4 the deviation is 1.
    #expect(abs(try #require(attention.loss?.error) - 1 / 3.0.squareRoot()) < 1e-12)
  }

  @Test func seedsWithoutAPartnerDoNotCount() throws {
    var rows = paired
    rows[0] = row("attention", "1", loss: nil, outcome: .pending)
    rows[5] = row("delta", "2", loss: nil, outcome: .diverged)
    let report = try report(rows, .init("mixer.kind", "attention"))
    let delta = try #require(report.groups.last)
    #expect(delta.title == "delta" && delta.rank == nil && delta.failure?.reason == "why")
    #expect(delta.gap?.share.count == 1 && delta.gap?.share.error == nil)
    #expect(abs((delta.gap?.share.mean ?? 0) - 0.02) < 1e-12)
    #expect(report.captions().last == "of 6 runs: 1 diverged, 1 pending")
    let table = report.table().rendered().lines
    #expect(table[0].contains("NOTE") && table[2].contains("diverged: why") && table[1].contains("2 of 3"))
  }

  @Test func baselineKeepsTheOtherKeys() throws {
    func row(_ kind: String, _ rate: String, _ loss: Double) -> SweepRow {
      SweepRow(
        folder: kind + rate, keys: [.init("mixer.kind", kind), .init("rate", rate)], outcome: .finished,
        figures: .init(
          loss: loss, lossError: 0, tokensPerSecond: 1, memoryByteCount: 1, steps: 1, tokens: 1, seconds: 1))
    }
    let rows = [row("a", "1", 2), row("a", "2", 4), row("b", "1", 3), row("b", "2", 5)]
    func gaps(_ baseline: SweepRow.Key...) throws -> [String: Double] {
      let report = try SweepReport(rows, baseline: baseline, costUnit: SweepCostUnit("x"))
      return Dictionary(uniqueKeysWithValues: report.groups.map { ($0.title, $0.gap?.nats.mean ?? .nan) })
    }
    #expect(try gaps(.init("mixer.kind", "a")) == ["a 1": 0, "a 2": 0, "b 1": 1, "b 2": 1])
    #expect(
      try gaps(.init("mixer.kind", "a"), .init("rate", "2")) == ["a 1": -2, "a 2": 0, "b 1": -1, "b 2": 1])
  }

  @Test func namedPointsCompareWithANamedOne() throws {
    let rows = [
      row("attention", "1", loss: 2, name: "plain"), row("attention", "2", loss: 4, name: "plain"),
      row("delta", "1", loss: 1, name: "new"), row("delta", "2", loss: 3, name: "new"),
    ]
    let report = try report(rows, .init("point", "plain"))
    #expect(report.groups.map(\.title) == ["new", "plain"])
    #expect(report.groups[0].gap?.share.mean == -0.375)
    #expect(report.table().rendered().lines[1].contains("-37.50 +- 12.50 %"))
    #expect(throws: SweepBaselineError.self) { try self.report(rows, .init("point", "plane")) }
    let error = try #require(throws: SweepBaselineError.self) { try self.report(rows, .init("kind", "x")) }
    #expect(error.hints.first?.contains("mixer.kind") == true)
  }

  @Test func frontHasWhatNothingBeats() throws {
    let rows = [
      row("dear", "1", loss: 1, cost: 10), row("cheap", "1", loss: 3, cost: 1),
      row("even", "1", loss: 2, cost: 5),
      row("worse", "1", loss: 2.5, cost: 6), row("same", "1", loss: 2, cost: 7),
      row("gone", "1", loss: nil, outcome: .doesNotFit),
    ]
    let report = try report(rows)
    let plot = try #require(ParetoPlot(report))
    #expect(plot.points.count == 5)
    #expect(plot.front.map(\.group.title) == ["cheap", "even", "dear"])
    #expect(report.groups.filter(\.isOnFront).map(\.title) == ["dear", "even", "cheap"])
    let svg = plot.svg(title: "x & y")
    #expect(svg.contains("x &amp; y") && svg.ranges(of: "<polyline").count == 1)
    #expect(svg.ranges(of: "<g class=\"mark").count == 5)
    for name in ["cheap", "even", "dear"] { #expect(svg.contains(">\(name)</text>"), "\(name)") }
    #expect(svg.contains("front, from the cheapest: #5 cheap, #2 even, #1 dear"))
    #expect(!svg.contains("NaN") && !svg.contains("nan") && !svg.contains("inf"))
    #expect(ParetoPlot(try self.report([row("gone", "1", loss: nil, outcome: .failed)])) == nil)
  }

  @Test func equalValuesAndGapsOfZeroAreDrawn() throws {
    let rows = [row("a", "1", loss: 2), row("b", "1", loss: 2)]
    let plot = try #require(ParetoPlot(try report(rows, .init("mixer.kind", "a"))))
    let svg = plot.svg(title: "x")
    #expect(!svg.contains("nan") && !svg.contains("inf") && svg.contains("gap of the loss"))
  }

  @Test func machineFormsHaveTheSameNumbers() throws {
    let report = try report(paired, .init("mixer.kind", "attention"))
    let lines = report.csv.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let column = try #require(lines[0].firstIndex(of: "gap"))
    #expect(Double(lines[2][column]) == report.groups[1].gap?.share.mean)
    #expect(lines.allSatisfy { $0.count == lines[0].count })
    let json = report.json
    #expect(json["groups"]?.arrayValue?[1]["gap"]?["mean"]?.doubleValue == report.groups[1].gap?.share.mean)
    #expect(json["points"]?.arrayValue?.count == 6)
    let figures = try #require(json["points"]?.arrayValue?.first.flatMap { SweepRow.Figures($0) })
    #expect(figures == report.rows[0].figures)
    #expect(report.markdown.hasPrefix("| RANK | kind | LOSS | GAP | SEEDS |"))
  }

  @Test func modelledCostsStandBesideTheGap() throws {
    var rows = paired
    for index in rows.indices {
      rows[index].figures?.model = .init(
        extraOperations: index < 3 ? 0 : 12_500, bytes: 2e6, relativeTime: index < 3 ? 1 : 0.5)
      rows[index].cost = rows[index].figures?.model?.relativeTime
    }
    let report = try report(rows, .init("mixer.kind", "attention"))
    let lines = report.table().rendered().lines
    #expect(lines[0].contains("EXTRA OP/TOK  BYTES/TOK  MODEL"), "\(lines[0])")
    #expect(lines[2].contains("12.5 k") && lines[2].contains("2.00 MB") && lines[2].contains("0.50"))
    #expect(ParetoPlot(report)?.front.map(\.cost) == [0.5, 1])
    let figures = try #require(report.json["points"]?.arrayValue?.last.flatMap { SweepRow.Figures($0) })
    #expect(figures == rows[5].figures && figures.model?.bytes == 2e6)
    // Without rounding there is nothing to model.
    #expect(try !self.report(paired).table().rendered().lines[0].contains("MODEL"))
  }

  @Test func axesHaveRoundLines() {
    let axis = LinearAxis(covering: -0.7...3.1, from: 0, to: 100)
    #expect(axis.low <= -0.7 && axis.high >= 3.1 && axis.step == 1)
    #expect(axis.ticks.map(\.label) == ["-1.00", "0", "1.00", "2.00", "3.00", "4.00"])
    let level = LinearAxis(covering: 5...5, from: 0, to: 100)
    #expect(level.low < 5 && level.high > 5 && level.place(5) > 0 && level.place(5) < 100)
    let nothing = LinearAxis(covering: 0...0, from: 0, to: 100)
    #expect(nothing.low == 0 && nothing.high > 0 && nothing.place(0) == 0)
  }
}
