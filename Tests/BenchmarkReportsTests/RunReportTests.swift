import Files
import Glibc
import Testing

@testable import BenchmarkReports

/// Reports of made-up runs, whose departures are known.
@Suite struct RunReportTests {
  private static let steady = RoundedOperandName(layer: "model.layers.0.a", operand: "fprop_input")
  private static let failing = RoundedOperandName(layer: "model.layers.1.a", operand: "wgrad_cotangent")

  private func measurement(
    _ step: Int, _ name: RoundedOperandName, decibels: Double?, saturation: Double = 0.01,
    underflow: Double = 0.6, scale: Double = -3, hasNonFinite: Bool = false,
  ) -> RoundingMeasurement {
    var values: [RoundingQuantity: Double] = [
      .saturation: saturation, .underflow: underflow, .bias: -0.01, .kurtosis: 3, .scaleDrift: scale,
    ]
    values[.signalToNoise] = decibels
    return RoundingMeasurement(step: step, name: name, values: values, hasNonFinite: hasNonFinite)
  }

  /// Losses that fall by 0.01 a step and swing by 0.03 up and down.
  private func updates(_ count: Int, offset: (Int) -> Double? = { _ in 0 }) -> [RunHistory.Update] {
    (1...count).map { step in
      let loss = 4 - 0.01 * Double(step) + 0.03 * sin(1.7 * Double(step))
      return .init(step: step, loss: offset(step).map { loss + $0 }, gradientNorm: 1, validationLoss: nil)
    }
  }

  private func run(_ name: String = "runs/a", _ measurements: [RoundingMeasurement] = [], steps: Int = 60)
    -> RunHistory
  {
    RunHistory(name: name, updates: updates(steps), measurements: measurements)
  }

  // MARK: Departures

  @Test func theFirstDepartureOfEachKindIsFound() throws {
    let decibels = [20, 20, 21, 20, 15, 10, 9, 20.0]
    let measurements = decibels.indices.flatMap { index in
      let step = 10 * index + 1
      return [
        measurement(step, Self.steady, decibels: 30),
        measurement(
          step, Self.failing, decibels: decibels[index], saturation: index == 6 ? 0.2 : 0.01,
          underflow: index == 7 ? 0.81 : 0.6),
      ]
    }
    let found = run("a", measurements).departures()
    #expect(found.map(\.kind) == [.signalToNoise, .saturation, .underflow])
    #expect(found.map(\.step) == [51, 61, 71] && found.allSatisfy { $0.operand == Self.failing })
    // 15 is within 6 dB of the median 20, 10 is not.
    #expect(found[0].value == 10 && found[0].usual == 20)
    #expect(found[0].text.hasSuffix("signal to noise 10.0 dB, usually 20.0 dB"), "\(found[0].text)")
    var rule = DepartureRule()
    rule.signalToNoiseDrop = 4
    #expect(run("a", measurements).departures(rule).first?.step == 41)
  }

  @Test func aFormatThatAlwaysSaturatesDoesNotDepart() {
    let measurements = (0..<8).map {
      measurement($0 * 5 + 1, Self.steady, decibels: 20, saturation: 0.3, underflow: 0.9)
    }
    #expect(run("a", measurements).departures().isEmpty)
    // Two measurements are no band, three are.
    let falling = [20, 20, 20, 2.0].enumerated().map { measurement($0 + 1, Self.steady, decibels: $1) }
    #expect(run("a", Array(falling.dropFirst())).departures().isEmpty)
    #expect(run("a", falling).departures().map(\.step) == [4])
  }

  @Test func numbersThatAreNotFiniteDepartAtOnceInTheOrderOfTheTape() throws {
    let measurements = [
      measurement(1, Self.steady, decibels: nil, hasNonFinite: true),
      measurement(1, Self.failing, decibels: nil, hasNonFinite: true),
    ]
    let found = try #require(run("a", measurements).departures().first)
    #expect(found.kind == .nonFinite && found.operand == Self.steady && found.value == nil)
    var broken = updates(30)
    broken[20] = .init(step: 21, loss: nil, gradientNorm: nil)
    let loss = RunHistory(name: "a", updates: broken).departures()
    #expect(loss.map(\.step) == [21] && loss[0].kind == .nonFinite)
  }

  @Test func aJumpOfTheLossAndOfTheGradientDeparts() {
    var jumping = updates(40)
    jumping[29] = .init(step: 30, loss: 5, gradientNorm: 11)
    let found = RunHistory(name: "a", updates: jumping).departures()
    #expect(Set(found.map(\.kind)) == [.loss, .gradientNorm] && found.allSatisfy { $0.step == 30 })
    #expect(RunHistory(name: "a", updates: updates(40)).departures().isEmpty)
  }

  // MARK: Two runs

  @Test func runsPartWhereTheDifferenceLeavesTheNoise() throws {
    let first = run("runs/first")
    func parting(_ offset: @escaping (Int) -> Double?) -> RunParting {
      RunParting(first, RunHistory(name: "runs/second", updates: updates(60, offset: offset)))
    }
    // Changes swing by 2 x 0.03 x sin 0.85 = 0.045, whose median magnitude is 0.032: 1.4826 x 0.032 / sqrt 2 = 0.033.
    #expect(parting { $0 > 20 ? 0.08 : 0 }.step == nil)
    let found = parting { $0 > 30 ? 0.5 : 0.001 }
    #expect(found.step == 31 && found.commonSteps == 60)
    #expect(abs(try #require(found.noise) - 0.033) < 0.006)
    #expect(found.text.contains("runs/second parts from runs/first at step 31"), "\(found.text)")
    // A step or two come back.
    #expect(parting { $0 == 40 || $0 == 41 ? 0.5 : 0 }.step == nil)
    #expect(parting { $0 == 20 ? nil : 0 }.step == 20)
  }

  @Test func whereRunsPartTheWorstOperandsOfTheLastMeasurementAreNamed() {
    let measurements = [1, 21, 41].flatMap { step in
      [
        measurement(step, Self.steady, decibels: Double(step)),
        measurement(step, Self.failing, decibels: Double(step) - 5),
      ]
    }
    let second = RunHistory(
      name: "b", updates: updates(60) { $0 > 30 ? 0.5 : 0 }, measurements: measurements)
    let report = RunReport([run("a"), second])
    #expect(report.partings[0].worst.map(\.name) == [Self.failing, Self.steady])
    #expect(report.partings[0].worst[0].step == 21)
    #expect(report.worst?.title.contains("step 21") == true)
    let doubted = RunParting(
      RunHistory(name: "a", updates: updates(3), origin: .init(seed: 1, data: "x")),
      RunHistory(name: "b", updates: updates(3), origin: .init(seed: 2, data: "x")))
    #expect(doubted.doubt?.contains("seeds") == true)
  }

  // MARK: Pictures

  @Test func pagesAreSelfContained() throws {
    let measurements = (0..<9).flatMap { index in
      [
        measurement(10 * index + 1, Self.steady, decibels: nil, scale: -3 + Double(index)),
        measurement(
          10 * index + 1, Self.failing, decibels: index == 8 ? 2 : 20, hasNonFinite: index == 7),
      ]
    }
    let report = RunReport([run("runs/<a>", measurements), run("runs/b")])
    let pictures = report.pictures
    #expect(
      pictures.map(\.name) == ["loss", "gradient_norm"] + RoundingQuantity.allCases.map { "\($0.rawValue)-1" }
    )
    let page = report.html(captions: ["x & y"])
    #expect(
      page.hasPrefix("<!DOCTYPE html>") && page.contains("runs/&lt;a&gt;") && page.contains("x &amp; y"))
    for word in ["<script", "http-equiv", "src=", "href=", "NaN", "nan\"", "=\"inf"] {
      #expect(!page.contains(word), "\(word)")
    }
    let sqnr = try #require(pictures.first { $0.name == "sqnr_db-1" }).svg
    // Two rows of nine steps, the outline of the departure, no error where decibels have no end.
    #expect(sqnr.contains("first departure: step 71") && sqnr.contains("not finite"))
    #expect(sqnr.contains("fprop_input 0.a, step 1: no error"), "layers lose what all begin with")
    let drift = try #require(pictures.first { $0.name == "log2_scale_drift-1" }).svg
    #expect(drift.contains("fprop_input 0.a, step 81: +8.00 octaves"))
  }

  @Test func manyStepsShareColumnsAndShowTheWorst() {
    let steps = Array(1...1000)
    let measurements = steps.flatMap { step in
      (0..<60).map { layer in
        measurement(
          step, .init(layer: "layers.\(layer)", operand: "fprop_input"),
          decibels: step == 500 && layer == 7 ? 1 : 20)
      }
    }
    let history = RoundingHistory(measurements)
    #expect(history.names.count == 60 && history.columns.count == 100)
    #expect(history.columns.first == .init(first: 1, last: 10))
    let column = history.column(of: 500) ?? -1
    #expect(history.cell(history.names[7], column, .signalToNoise) == .value(1))
    #expect(history.cell(history.names[8], column, .signalToNoise) == .value(20))
  }

  @Test func colorsRunFromEndToEnd() {
    let shares = ColorScale(logarithmic: [0, 0.001, 0.1], least: 1e-5)
    #expect(shares.place(0) == 0 && shares.place(0.1) == 1 && abs(shares.place(0.001) - 0.5) < 1e-9)
    #expect(shares.color(0) == "#440154" && shares.color(0.1) == "#fde725")
    let drift = ColorScale(around: [-0.5, 2])
    #expect(drift.place(0) == 0.5 && drift.color(0) == "#dee1e5")
    #expect(
      abs(drift.place(-2) + drift.place(2) - 1) < 1e-9 && drift.place(-2) < 0.25 && drift.place(-99) == 0)
    #expect(drift.ticks.map(\.value).first == -(drift.ticks.last?.value ?? 0))
    let decibels = ColorScale(linear: [-60, 30], least: -10)
    #expect(decibels.place(-60) == 0 && decibels.place(30) == 1 && decibels.place(10) == 0.5)
    #expect(decibels.ticks.map(\.value) == stride(from: -10, through: 30, by: 5).map { $0 })
    #expect(ColorScale(linear: [5, 5], least: -10).place(5) == 0)
  }

  // MARK: Reading

  @Test func aRunIsReadUpToItsTornLine() throws {
    var template = Array("/tmp/nibble-report-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&template)))
    defer { try? Folder.remove(folder) }
    func write(_ lines: [String]) throws {
      try AtomicFile.write(Array(lines.joined(separator: "\n").utf8), to: folder + "/metrics.jsonl")
    }
    #expect(throws: RunHistoryError.noMetrics(folder: folder)) { try RunHistory(folder: folder) }
    try write([""])
    #expect(throws: RunHistoryError.self) { try RunHistory(folder: folder) }
    let rounding =
      #"[{"layer":"l","operand":"fprop_input","sqnr_db":12.5,"log2_scale":-2,"largest":1,"nonfinite":0},"#
      + #"{"layer":"l","operand":"wgrad_input","sqnr_db":null,"log2_scale":0,"largest":0,"nonfinite":0},"#
      + #"{"layer":"l","operand":"fprop_weight","sqnr_db":null,"largest":null}]"#
    try write([
      #"{"step":1,"loss":4.5,"gradient_norm":1.5,"rounding":\#(rounding)}"#,
      #"{"step":2,"loss":null,"gradient_norm":2,"validation_loss":4}"#, #"{"step":3,"lo"#,
    ])
    let history = try RunHistory(folder: folder)
    #expect(history.unreadableLineCount == 1 && history.updates.count == 2)
    #expect(history.updates[1] == .init(step: 2, loss: nil, gradientNorm: 2, validationLoss: 4))
    #expect(history.measurements.map(\.hasNonFinite) == [false, false, true])
    #expect(history.measurements.map(\.isZero) == [false, true, false])
    let table = RoundingHistory(history.measurements)
    let cells = table.names.map { table.cell($0, 0, .signalToNoise) }
    #expect(cells == [.value(12.5), .zero, .nonFinite])
    #expect(history.measurements[0].values == [.signalToNoise: 12.5, .scaleDrift: -2])
    try write([#"{"step":2,"loss":1}"#, #"{"step":2,"loss":1}"#])
    #expect(throws: RunHistoryError.notRising(path: folder + "/metrics.jsonl", step: 2, after: 2)) {
      try RunHistory(folder: folder)
    }
  }
}
