import Configuration
import Terminal
import Testing

@Suite struct RoundTripTests {
  private let awkward = [
    "data.task=text", "data.path=no", "data.validation=a: b # c", "device=null device",
    "evaluation.prompt=line\n\ttab \"q\" \\ é \u{85}\u{2028}\u{FEFF}🙂",
    "data.separator=<|end|>", "init=- x", "optimizer.epsilon=1e-12", "optimizer.learning_rate=0.1",
    "data.tokenizer=./~/tokenizer.json", "minutes=0.3333333333333333",
    "data.validation_fraction=0.30000000000000004",
  ]

  @Test(arguments: Presets.names)
  func yamlReadsBackToTheSameValues(_ name: String) throws {
    for style in [DerivedValueStyle.written, .commented] {
      let original = try resolve("extends: \(name)", awkward)
      let yaml = original.yaml(derived: style)
      let back = try resolve(yaml)
      #expect(original.values.changes(to: back.values).map(\.description) == [])
      // `extends` alone is only a comment in the file.
      var expected = original.values
      expected.extends = []
      #expect(back.values == expected)
      #expect(try resolve(back.yaml(derived: style)).values == back.values)
    }
  }

  @Test func aTaskReadsBackToo() throws {
    let original = try resolve("preset: mqar", ["task.pairs=5", "task.held_out=9"])
    for style in [DerivedValueStyle.written, .commented] {
      let back = try resolve(original.yaml(derived: style))
      #expect(original.values.changes(to: back.values).map(\.description) == [])
    }
  }

  @Test func yamlShowsOrigins() throws {
    let yaml = try resolve("preset: tiny\nsteps: 20", ["optimizer.learning_rate=3e-4"]).yaml()
    let lines = yaml.split(separator: "\n").map(String.init)
    #expect(lines.contains("steps: 20                               # run.yaml:2"))
    #expect(lines.contains("  learning_rate: 0.0003                 # command line"))
    #expect(lines.contains("  layers: 4                             # presets/tiny"))
    #expect(lines.contains("  head_dimension: 64                    # derived: dimension / heads"))
    #expect(lines.contains("# preset: tiny                          # run.yaml:1"))
    let free = try resolve("").yaml(derived: .commented)
    #expect(free.contains("\n  # head_dimension: 64"))
    #expect(try resolve(free, ["model.dimension=512"]).values.model.headDimension == 128)
  }

  @Test func comparisonListsChangedKeys() throws {
    let before = try resolve("preset: tiny").values
    let after = try resolve("preset: tiny", ["steps=2000", "log.every=5", "device=cpu"]).values
    let changes = before.changes(to: after)
    #expect(
      changes.map(\.description) == [
        "steps: 1000 > 2000", "device: none > cpu", "schedule.decay_steps: 900 > 1900", "log.every: 1 > 5",
      ])
    #expect(changes.map(\.changesTraining) == [true, false, true, false])
    #expect(before.changes(to: before).isEmpty)
  }

  @Test func numbersAreWrittenShortAndExactly() {
    for (value, text) in [
      (1e-5, "1e-5"), (3e-4, "0.0003"), (10_000, "10000"), (1e20, "1e20"), (0.1, "0.1"), (-0.0, "-0"),
    ] {
      #expect(ConfigurationValue.number(value).display == text)
    }
  }
}
