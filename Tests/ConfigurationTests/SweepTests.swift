import Terminal
import Testing

@testable import Configuration

/// Lists and files that describe sweeps.
@Suite struct SweepTests {
  private func settings(_ point: SweepPoint) -> String {
    ([point.name].compactMap(\.self) + point.settings.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
  }

  private func read(_ line: String...) throws -> (fixed: [Assignment], axes: [SweepAxis]) {
    try SweepArguments.read(line.compactMap { Assignment(argument: $0) })
  }

  private func error(_ body: () throws -> Void) throws -> SweepError {
    do {
      try body()
    } catch let error as SweepError {
      return error
    }
    throw SweepError("no error was thrown")
  }

  @Test func productOfListsHasTheLastAxisFastest() throws {
    let (fixed, axes) = try read(
      "preset=tiny", "mixer.kind=attention,retention", "steps=5", "seed=1, 2,3")
    #expect(fixed.map(\.key) == ["preset", "steps"])
    let points = try SweepDescription(axes: axes).expanded()
    #expect(
      points.map(settings) == [
        "mixer.kind=attention seed=1", "mixer.kind=attention seed=2", "mixer.kind=attention seed=3",
        "mixer.kind=retention seed=1", "mixer.kind=retention seed=2", "mixer.kind=retention seed=3",
      ])
  }

  @Test(arguments: [
    ("mixer.pattern=[attention,delta]", ["[attention,delta]"]),
    ("mixer.pattern=attention,delta", ["attention,delta"]),
    ("mixer.pattern=[attention, delta],[delta]", ["[attention, delta]", "[delta]"]),
    ("mixer.pattern=attention,delta;delta", ["attention,delta", "delta"]),
    ("mixer.pattern=[attention,delta]; [delta]", ["[attention,delta]", "[delta]"]),
    ("evaluation.prompt=Yes, sir;No", ["Yes, sir", "No"]),
    ("evaluation.prompt=\"Yes, sir\",No", ["Yes, sir", "No"]),
    ("evaluation.prompt=\"a;b\"", ["a;b"]),
    ("evaluation.prompt=say \"a", ["say \"a"]),
    ("seed=7", ["7"]),
  ])
  func separatorsInsideValues(line: String, values: [String]) throws {
    let (fixed, axes) = try read(line)
    #expect((axes.first?.values ?? fixed).map(\.value) == values)
  }

  @Test func lastOfEqualKeysCounts() throws {
    #expect(try read("seed=1,2", "seed=3").axes.isEmpty)
    let (fixed, axes) = try read("seed=3", "steps=5", "seed=1,2")
    #expect(fixed.map(\.key) == ["steps"] && axes.map(\.key) == ["seed"])
  }

  @Test func badListsAreRefused() throws {
    #expect(try error { _ = try read("seed=1,,2") }.message.contains("empty value"))
    #expect(try error { _ = try read("data.separator=,") }.description.contains("double quotes"))
    #expect(try error { _ = try read("seed=1,2,1") }.message.contains("'1' twice"))
    #expect(try error { _ = try SweepDescription().expanded() }.message.contains("nothing varies"))
    let wide = SweepAxis(key: "seed", values: (1...101).map { Assignment(key: "seed", value: "\($0)") })
    let other = SweepAxis(key: "steps", values: (1...101).map { Assignment(key: "steps", value: "\($0)") })
    #expect(
      try error { _ = try SweepDescription(axes: [wide, other]).expanded() }.message.contains(
        "more than 10000"))
  }

  private static let file = """
    preset: tiny
    sweep:
      grid:
        seed: [1, 2]
        optimizer: {learning_rate: [1e-3]}
      points:
        - name: plain
        - name: hybrid
          mixer: {pattern: [delta, sliding]}
          model.window: 64
          data.separator: ~
      baseline: {point: plain}
    """

  @Test func fileHasPointsTimesGrid() throws {
    let description = try #require(try SweepDescription(yaml: Self.file, name: "x.yaml"))
    #expect(description.baseline == [Assignment(key: "point", value: "plain", flag: "x.yaml:12")])
    let tail = "optimizer.learning_rate=1e-3"
    let hybrid = "hybrid mixer.pattern=[delta, sliding] model.window=64 data.separator=null"
    #expect(
      try description.expanded().map(settings) == [
        "plain seed=1 \(tail)", "plain seed=2 \(tail)", "\(hybrid) seed=1 \(tail)",
        "\(hybrid) seed=2 \(tail)",
      ])
  }

  @Test func lineOverridesTheGridButNotPoints() throws {
    var description = try #require(try SweepDescription(yaml: Self.file, name: "x.yaml"))
    let (fixed, axes) = try read("seed=5", "optimizer.learning_rate=1e-4,1e-2")
    try description.override(with: axes, fixed: fixed)
    #expect(
      try description.expanded().prefix(2).map(settings) == [
        "plain optimizer.learning_rate=1e-4", "plain optimizer.learning_rate=1e-2",
      ])
    #expect(
      try error {
        var description = description
        try description.override(with: [], fixed: [Assignment(key: "model.window", value: "3")])
      }.message.contains("model.window is set by points"))
  }

  @Test func problemsOfAFileAreAllToldWithTheirLines() throws {
    let yaml = """
      sweep:
        gird: {}
        grid: {seed: [], steps: {a: 1}}
        points: [{seed: 1}, 3]
      """
    let reports = try error { _ = try SweepDescription(yaml: yaml, name: "x.yaml") }.reports
    #expect(
      reports.map(\.message) == [
        "x.yaml:2: sweep has no 'gird'", "x.yaml:3: seed in grid has no values",
        "x.yaml:3: steps in grid needs a list of values", "x.yaml:4: a point has no name",
        "x.yaml:4: a point holds a name, keys and values",
      ])
    #expect(reports.first?.hints.first?.contains("did you mean 'grid'") == true)
  }

  @Test func descriptionSurvivesBeingWritten() throws {
    let points = [
      SweepPoint(
        folder: "01-a", name: "plain: one",
        settings: [
          Assignment(key: "mixer.pattern", value: "[delta, sliding]"), Assignment(key: "steps", value: "100"),
          Assignment(key: "evaluation.prompt", value: "\"\\n\""), Assignment(key: "minutes", value: "null"),
        ]),
      SweepPoint(folder: "02-b", settings: [Assignment(key: "optimizer.learning_rate", value: "1e-5")]),
    ]
    let written = SweepDescription(points: points, baseline: [Assignment(key: "steps", value: "100")])
    let read = try #require(
      try SweepDescription(yaml: written.yaml(comment: ["nibble sweep\nx"]), name: "sweep.yaml"))
    func plain(_ settings: [Assignment]) -> [Assignment] {
      settings.map { Assignment(key: $0.key, value: $0.value) }
    }
    #expect(plain(read.baseline) == written.baseline)
    #expect(
      read.points.map { SweepPoint(folder: $0.folder, name: $0.name, settings: plain($0.settings)) } == points
    )
  }

  @Test func sectionIsForSweepsOnly() throws {
    let text = ConfigurationSources.Text(yaml: Self.file, name: "x.yaml")
    do throws(ConfigurationError) {
      _ = try ResolvedConfiguration(ConfigurationSources(text: text))
      Issue.record("a configuration with a section sweep was taken for an ordinary one")
    } catch {
      #expect(error.reports.first?.hints == ["a file with a section sweep is for nibble sweep"])
    }
    var sources = ConfigurationSources(text: text)
    sources.allowsSweep = true
    #expect(try ResolvedConfiguration(sources).values.model.layers > 0)
  }

  @Test func valuesHaveOneSpelling() throws {
    func canonical(_ text: String) throws -> String {
      try #require(Assignment(argument: text)).canonicalValue()
    }
    #expect(try canonical("optimizer.learning_rate=1e-3") == "0.001")
    #expect(try canonical("mixer.pattern=delta,sliding") == "[delta, sliding]")
    #expect(try canonical("minutes=null") == "null")
    #expect(throws: SweepError.self) { try canonical("optimizer.learning_rat=1") }
    #expect(throws: SweepError.self) { try canonical("steps=many") }
  }
}
