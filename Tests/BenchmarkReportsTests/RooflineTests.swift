import Engine
import Files
import Testing

@testable import BenchmarkReports

@Suite struct RooflineTests {
  @Test func placesPointsUnderTheirRoofs() throws {
    let plot = try RooflinePlot(Fixed.report)
    let point = try #require(plot.points.first)
    #expect(point.intensity == 25)
    #expect(abs(point.flopsPerSecond - 100e9) < 1)
    let ridge = plot.roofLine(Fixed.roof)[1]
    let expected = plot.place(12.5, 200e9)
    #expect(abs(ridge.x - expected.x) < 1e-9)
    #expect(abs(ridge.y - expected.y) < 1e-9)
    #expect(plot.place(25, 100e9).y > ridge.y)
    // On the slope, ten times the intensity is ten times the speed.
    let start = plot.roofLine(Fixed.roof)[0]
    #expect(start.x >= RooflinePlot.frame.left - 1e-9)
    #expect(start.y <= RooflinePlot.frame.bottom + 1e-9)
  }

  @Test func everyMarkLiesInTheFrame() throws {
    var report = Fixed.report
    report.rows += [(1e3, 1e9), (1e12, 1e3), (1, 1)].map { flops, bytes in
      var row = Fixed.ours
      row.cost = Cost(flops: flops, bytes: bytes)
      return row
    }
    let plot = try RooflinePlot(report)
    for point in plot.points {
      let place = plot.place(point.intensity, point.flopsPerSecond)
      #expect((RooflinePlot.frame.left...RooflinePlot.frame.right).contains(place.x))
      #expect((RooflinePlot.frame.top...RooflinePlot.frame.bottom).contains(place.y))
    }
  }

  @Test func isSelfContainedAndKeepsItsData() throws {
    var report = Fixed.report
    report.environment.command = "nibble bench matmul --results <a&\"b\">\u{7}"
    let svg = try RooflinePlot(report).svg()
    #expect(svg.contains("prefers-color-scheme: dark"))
    #expect(!svg.contains("<script") && !svg.contains("href") && !svg.contains("url("))
    #expect(svg.contains("--results &lt;a&amp;&quot;b&quot;&gt;\u{FFFD}"))
    #expect(svg.contains("<title>matmul m 512, form nt on pocl:0; 100 GFLOP/s; 25.0 FLOP/byte;"))
    #expect(svg.contains("left out: 1 that failed"))
    let line = try #require(svg.split(separator: "\n").first { $0.hasPrefix("<metadata>") })
    let text = String(line.dropFirst("<metadata>".count).dropLast("</metadata>".count))
    let data = text.replacing("&quot;", with: "\"")
      .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    #expect(try JSON(parsing: data, source: "metadata") == report.json())
  }

  @Test func refusesToDrawNothing() {
    var report = Fixed.report
    report.rows = [Fixed.red]
    #expect(throws: RooflineError.noPoints(rows: 1)) { try RooflinePlot(report) }
  }

  @Test(arguments: [(0.013, 470.0), (1, 1), (3, 4), (1e-9, 1e15)])
  func axesCoverTheirRangeWithNumbers(low: Double, high: Double) {
    let axis = LogarithmicAxis(covering: low...high, from: 0, to: 100)
    #expect(axis.low <= low * 1.00001 && axis.high >= high * 0.99999)
    #expect(axis.place(axis.low) == 0 && abs(axis.place(axis.high) - 100) < 1e-9)
    let labelled = axis.ticks.filter(\.isLabelled)
    #expect(labelled.count >= 2)
    #expect(axis.ticks.allSatisfy { (-0.1...100.1).contains(axis.place($0.value)) })
  }

  @Test func labelsCoverNothing() {
    let frame = LabelPlacement.Box(left: 0, top: 0, right: 200, bottom: 100)
    let points = (0..<12).map { (x: 20 + 12 * Double($0), y: 50.0) }
    var placement = LabelPlacement(frame: frame, points: points, lines: [[(0, 30), (200, 30)]])
    let spots = points.compactMap { placement.place(width: 40, beside: $0) }
    #expect(spots.count >= 2 && spots.count < 12)
    for (index, spot) in spots.enumerated() {
      #expect(spot.x >= 0 && spot.x + 40 <= 200 && spot.y <= 100)
      for other in spots[..<index] {
        #expect(abs(other.x - spot.x) >= 40 || abs(other.y - spot.y) >= 13)
      }
    }
  }

  @Test func wrapsLongCommands() {
    #expect(SVGText.wrapped("a bb ccc", length: 4) == ["a bb", "ccc"])
    #expect(SVGText.wrapped("abcdefghij", length: 4) == ["abcd", "efgh", "ij"])
  }
}
