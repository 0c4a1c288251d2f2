import Terminal
import Testing

@Suite struct RemainingTimeTests {
  @Test func leavesOutFirstStepsAndPauses() {
    var estimate = RemainingTime(totalSteps: 100)
    var time = 0.0
    for step in 1...40 {
      time += step <= 10 ? 60 : 2
      estimate.finishStep(step, at: time)
      if step == 10 { #expect(estimate.secondsLeft == nil) }
      if step.isMultiple(of: 5) {
        estimate.beginPause(at: time)
        time += 1000
        estimate.endPause(at: time)
      }
    }
    #expect(estimate.secondsPerStep == 2)
    #expect(estimate.secondsLeft == 120)
  }

  @Test func followsAChangeOfPace() {
    var estimate = RemainingTime(totalSteps: 1000)
    var time = 0.0
    for step in 1...200 {
      time += step <= 100 ? 1 : 3
      estimate.finishStep(step, at: time)
    }
    #expect(estimate.secondsPerStep == 3)
  }

  @Test func countsFromTheStepOfAResumedRun() {
    var estimate = RemainingTime(totalSteps: 530)
    for step in 501...520 { estimate.finishStep(step, at: Double(step)) }
    #expect(estimate.secondsLeft == 10)
  }
}

@Suite struct LineChartTests {
  private let points = (0...100).map { LineChart.Point(x: Double($0), y: 4 - Double($0) * 0.02) }

  @Test func drawsALineInASCII() {
    let chart = LineChart(title: "loss", points: points)
    #expect(
      chart.rendered(columns: 26, rows: 4, glyphs: .ascii) == [
        "loss",
        "4.00 |****",
        "     |   *******",
        "3.00 |          *******",
        "2.00 |                ****",
        "      0      step      100",
      ])
  }

  @Test func drawsALineInBraille() {
    let lines = LineChart(points: points).rendered(columns: 24, rows: 3, glyphs: .unicode)
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("4.00 │⠉") || lines[0].hasPrefix("4.00 │⠑") || lines[0].hasPrefix("4.00 │⠒"))
    #expect(lines.allSatisfy { displayWidth($0) <= 24 })
  }

  @Test func survivesOddValues() {
    let odd: [Double] = [.nan, .infinity, -.greatestFiniteMagnitude, .greatestFiniteMagnitude, 0, 1e-300]
    let points = odd.flatMap { x in odd.map { LineChart.Point(x: x, y: $0) } }
    for glyphs in [Glyphs.ascii, .unicode] {
      let lines = LineChart(points: points).rendered(columns: 1, rows: 0, glyphs: glyphs)
      #expect(lines.last == "20 of 36 points not finite")
      #expect(LineChart(points: [.init(x: 1, y: 1)]).rendered(columns: 40, glyphs: glyphs).count == 13)
    }
    #expect(
      LineChart(title: "loss", points: []).rendered(columns: 40, glyphs: .ascii) == ["loss: no finite points"]
    )
  }
}
