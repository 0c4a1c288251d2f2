import Engine
import Files
import Testing

@testable import BenchmarkReports

@Suite struct CurveTests {
  /// Rows of a kind at times 1,024 and 4,096, the faster first.
  private func report(_ kind: String, seconds: [Double]) -> BenchmarkReport {
    var report = Fixed.report
    report.rows = zip([4096, 1024], seconds).map { time, seconds in
      BenchmarkRow(
        benchmark: "train", parameters: [.init("mixer", kind), .init("time", "\(time)")], device: "pocl:0",
        samples: [seconds, seconds, 2 * seconds, 2 * seconds], cost: Cost(flops: 1e9, bytes: 1e6),
        tokens: 1000,
        verification: .passed(worst: 0))
    }
    return report
  }

  @Test func curvesRunAlongTheParameterWithQuartiles() throws {
    let plot = try CurvePlot(
      [report("retention", seconds: [0.5, 0.25]), report("delta", seconds: [1, 1])], over: "time",
      measure: .tokensPerSecond, series: ["mixer", "device"], title: nil)
    #expect(plot.curves.map(\.name) == ["retention pocl:0", "delta pocl:0"])
    let points = plot.curves[0].points
    #expect(points.map(\.x) == [1024, 4096])
    #expect(points[0].slow < points[0].value && points[0].value < points[0].fast)
    #expect(points[0].fast == 4000 && points[1].fast == 2000)
    #expect(plot.vertical.low == 0 && plot.vertical.high >= 4000 && plot.vertical.high <= 6000)
    let svg = plot.svg()
    #expect(svg.ranges(of: "<polyline").count == 2)
    #expect(svg.contains("retention pocl:0, time 4,096: 1333.3 tokens/s"))
    #expect(!svg.contains("<script") && !svg.contains("NaN") && !svg.contains("inf"))
  }

  @Test func secondsGrowDownwards() throws {
    let plot = try CurvePlot(
      [report("delta", seconds: [1, 1])], over: "time", measure: .seconds, series: ["mixer"], title: "x")
    #expect(plot.curves[0].points.allSatisfy { $0.slow > $0.value && $0.fast < $0.value })
  }

  @Test func refusesWhatCannotBeDrawn() throws {
    let reports = [report("delta", seconds: [1, 1]), report("retention", seconds: [1, 1])]
    #expect(throws: CurveError.ambiguous(curve: "pocl:0", parameter: "time", value: "4096")) {
      try CurvePlot(reports, over: "time", measure: .gflops, series: ["device"], title: nil)
    }
    #expect(throws: CurveError.nothing(parameter: "rows", measure: "gflops")) {
      try CurvePlot(reports, over: "rows", measure: .gflops, series: ["device"], title: nil)
    }
    #expect(throws: CurveError.unknown(series: "mixr", known: ["device", "mixer", "time"])) {
      try CurvePlot(reports, over: "time", measure: .gflops, series: ["mixr"], title: nil)
    }
  }
}
