import Terminal
import Testing

@Suite struct ErrorTextTests {
  private struct NoDevice: UserError {
    var message: String { "no device named 'gpu1'" }
    var details: [String] { ["available: 0 AMD EPYC (PoCL 3.1), cpu (OpenBLAS 0.3.21)"] }
    var hints: [String] { ["nibble train runs/gdn.yaml --device 0"] }
    var exitCode: ExitCode { .doesNotFit }
  }

  private struct Odd: Error {}

  @Test func printsMessageDetailsAndHints() {
    #expect(
      NoDevice().description == """
        error: no device named 'gpu1'
          available: 0 AMD EPYC (PoCL 3.1), cpu (OpenBLAS 0.3.21)
          hint: nibble train runs/gdn.yaml --device 0
        """)
  }

  @Test func coloursOnlyTheLabels() {
    let text = ErrorReport("bad", hints: ["good"]).text(label: .warning, style: .colored)
    #expect(text == "\u{1B}[33mwarning:\u{1B}[0m bad\n  \u{1B}[2mhint:\u{1B}[0m good")
  }

  @Test func keepsSeveralLinesInsideTheBlock() {
    #expect(ErrorReport("a\nb", details: ["c\nd"]).text() == "error: a\n  b\n  c\n  d")
  }

  @Test func makesControlCharactersVisible() {
    #expect(ErrorReport("name '\u{1B}[2J'").text() == "error: name '\\u{1b}[2J'")
  }

  @Test func mapsErrorsToExitCodes() {
    #expect(describe(NoDevice()).exitCode == .doesNotFit)
    #expect(describe(Odd()).exitCode == .internalError)
    #expect(describe(Odd()).reports.count == 1)
  }

  @Test func exitCodesAreThoseOfTheManual() {
    #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 130, 143])
  }
}

@Suite struct NearestNameTests {
  @Test(arguments: [
    ("optimiser", "optimizer", 1), ("", "abc", 3), ("abc", "abc", 0), ("stpes", "steps", 1),
    ("kitten", "sitting", 3),
  ])
  func countsEdits(_ a: String, _ b: String, _ distance: Int) {
    #expect(editDistance(a, b) == distance)
    #expect(editDistance(b, a) == distance)
  }

  @Test func findsTheNearestNameWithinAThird() {
    let known = ["optimizer", "schedule", "batch", "seed"]
    #expect(nearestName(to: "optimiser", in: known) == "optimizer")
    #expect(nearestName(to: "Batch", in: known) == "batch")
    #expect(nearestName(to: "mixer", in: known) == nil)
    #expect(nearestName(to: "", in: known) == nil)
    #expect(nearestName(to: String(repeating: "x", count: 100_000), in: known) == nil)
  }

  @Test func offersTheListWhileItIsShort() {
    #expect(
      nameHints(for: "sede", in: ["seed", "steps"], noun: "keys here") == [
        "did you mean 'seed'? keys here: seed, steps"
      ])
    #expect(nameHints(for: "zzz", in: ["seed", "steps"], noun: "keys here") == ["keys here: seed, steps"])
    #expect(nameHints(for: "zzz", in: (0..<40).map { "name\($0)" }, noun: "keys here").isEmpty)
  }
}
