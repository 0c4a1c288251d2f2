import Configuration
import Glibc
import Terminal
import Testing

@Suite struct LayersTests {
  @Test func strongerLayersWinAndOriginsSayWhere() throws {
    let yaml = """
      extends: shakespeare
      steps: 700
      optimizer:
        learning_rate: 3e-4
        clip: 0.5
      """
    let resolved = try resolve(
      yaml, ["optimizer.clip=2", "seed=7"],
      environment: [
        "NIBBLE_SEED": "9", "NIBBLE_OPTIMIZER_LEARNING_RATE": "1e-5", "PATH": "/bin", "NIBBLE_DEBUG": "1",
      ])
    func check(_ key: String, _ value: ConfigurationValue, _ origin: String) throws {
      let entry = try #require(resolved.entries.first { $0.key.name == key })
      #expect(entry.value == value)
      #expect(entry.origin.description == origin)
    }
    try check("model.layers", .integer(4), "presets/shakespeare")
    try check("optimizer.beta1", .number(0.9), "built-in")
    try check("optimizer.beta2", .number(0.99), "presets/shakespeare")
    try check("steps", .integer(700), "run.yaml:2")
    try check("optimizer.learning_rate", .number(1e-5), "NIBBLE_OPTIMIZER_LEARNING_RATE")
    try check("optimizer.clip", .number(2), "command line")
    try check("seed", .integer(7), "command line")
    try check("schedule.minimum", .number(1e-6), "derived: 0.1 x learning rate")
    try check("extends", .list(["shakespeare"]), "run.yaml:1")
  }

  @Test func flagsNameThemselvesAsOrigin() throws {
    let sources = ConfigurationSources(assignments: [
      Assignment(key: "data.path", value: "book.txt", flag: "--data")
    ])
    let resolved = try ResolvedConfiguration(sources)
    #expect(resolved.values.data.source == .path("book.txt"))
    #expect(resolved.origin(of: "data.path").description == "--data")
  }

  @Test func laterBasesBeatEarlierOnesAndThePreset() throws {
    let resolved = try resolve("preset: tiny\nextends: [shakespeare, presets/small.yaml]")
    #expect(resolved.values.model.layers == 6)
    #expect(resolved.values.steps == 2000)
    #expect(resolved.origin(of: "model.layers").description == "presets/small")
    #expect(resolved.values.preset == "tiny")
  }

  @Test func theLineReplacesTheFilesPreset() throws {
    let resolved = try resolve("preset: tiny", ["preset=small"])
    #expect(resolved.values.model.dimension == 384)
    #expect(resolved.values.preset == "small")
  }

  @Test func filesExtendFilesRelativeToThemselves() throws {
    try withFolder { folder in
      try write("\(folder)/bases/common.yaml", "steps: 11\nseed: 3\npreset: shakespeare\n")
      try write("\(folder)/bases/middle.yaml", "extends: common.yaml\nsteps: 12\n")
      try write("\(folder)/run.yaml", "extends: bases/middle.yaml\nmodel: {layers: 2}\n")
      let resolved = try ResolvedConfiguration(ConfigurationSources(file: "\(folder)/run.yaml"))
      #expect(resolved.values.steps == 12)
      #expect(resolved.values.seed == 3)
      #expect(resolved.values.model.layers == 2)
      #expect(resolved.values.model.dimension == 128)
      #expect(resolved.values.preset == nil)
      #expect(resolved.origin(of: "seed").description == "\(folder)/bases/common.yaml:2")
    }
  }

  @Test func refusesCircles() throws {
    try withFolder { folder in
      try write("\(folder)/bases/a.yaml", "extends: b.yaml\n")
      try write("\(folder)/bases/b.yaml", "extends: a.yaml\n")
      let error = #expect(throws: ConfigurationError.self) {
        try ResolvedConfiguration(ConfigurationSources(file: "\(folder)/bases/a.yaml"))
      }
      let text = try #require(error).description
      #expect(
        text.contains("circle: \(folder)/bases/a.yaml > \(folder)/bases/b.yaml > \(folder)/bases/a.yaml"))
    }
  }

  @Test func saysWhatIsThereWhenAFileIsMissing() throws {
    try withFolder { folder in
      try write("\(folder)/run.yaml", "extends: bases/comon.yaml\n")
      try write("\(folder)/bases/common.yaml", "steps: 11\n")
      let error = #expect(throws: ConfigurationError.self) {
        try ResolvedConfiguration(ConfigurationSources(file: "\(folder)/run.yaml"))
      }
      #expect(
        try #require(error).description == """
          error: cannot read base configuration '\(folder)/bases/comon.yaml': No such file or directory
            named in \(folder)/run.yaml:1
            hint: did you mean '\(folder)/bases/common.yaml'?
          """)
      let missing = #expect(throws: ConfigurationError.self) {
        try ResolvedConfiguration(ConfigurationSources(file: "\(folder)/other-name.yaml"))
      }
      #expect(try #require(missing).description.contains("hint: configurations in '\(folder)': run.yaml"))
    }
  }

  @Test func refusesFilesThatAreNotText() throws {
    try withFolder { folder in
      try write("\(folder)/run.yaml", bytes: [0x73, 0xFF, 0xFE])
      let error = #expect(throws: ConfigurationError.self) {
        try ResolvedConfiguration(ConfigurationSources(file: "\(folder)/run.yaml"))
      }
      #expect(try #require(error).message == "configuration '\(folder)/run.yaml' is not UTF-8 text")
      let isFolder = #expect(throws: ConfigurationError.self) {
        try ResolvedConfiguration(ConfigurationSources(file: folder))
      }
      #expect(try #require(isFolder).message == "configuration '\(folder)' is a folder")
    }
  }

  @Test func environmentRuleIsUnambiguous() {
    let variables = ConfigurationSchema.keys.map(\.environmentVariable)
    #expect(Set(variables).count == variables.count)
    #expect(Set(variables).isDisjoint(with: ConfigurationSchema.programVariables))
  }

  @Test func refusesMisspeltEnvironmentKeys() throws {
    let text = try problems(environment: [
      "NIBBLE_OPTIMIZER_LR": "1", "NIBBLE_STPES": "5", "NIBBLE_GOLDEN_TESTS": "1",
    ])
    #expect(
      text == """
        error: unknown key in the environment: NIBBLE_OPTIMIZER_LR
          hint: variables here: NIBBLE_OPTIMIZER_KIND, NIBBLE_OPTIMIZER_LEARNING_RATE, NIBBLE_OPTIMIZER_BETA1, NIBBLE_OPTIMIZER_BETA2, NIBBLE_OPTIMIZER_EPSILON, NIBBLE_OPTIMIZER_WEIGHT_DECAY, NIBBLE_OPTIMIZER_DECAY_MODE, NIBBLE_OPTIMIZER_MOMENTUM, NIBBLE_OPTIMIZER_NESTEROV, NIBBLE_OPTIMIZER_STATE, NIBBLE_OPTIMIZER_CLIP
        error: unknown key in the environment: NIBBLE_STPES
          hint: did you mean 'NIBBLE_STEPS'?
        """)
  }

  @Test func assignmentsAreToldFromFlagsAndPaths() {
    #expect(Assignment(argument: "a.b=c=d") == Assignment(key: "a.b", value: "c=d"))
    #expect(Assignment(argument: "--x=1") == nil)
    #expect(Assignment(argument: "runs/a=b.yaml") == nil)
    #expect(Assignment(argument: "steps") == nil)
    #expect(Assignment(argument: "=3") == nil)
  }
}

/// Runs a body with a fresh folder that holds a folder `bases`, and removes both.
private func withFolder(_ body: (String) throws -> Void) throws {
  var template = Array("/tmp/nibble-configuration-XXXXXX".utf8CString)
  let made = try #require(mkdtemp(&template))
  let folder = String(cString: made)
  mkdir("\(folder)/bases", 0o700)
  defer {
    for name in ["bases/common.yaml", "bases/middle.yaml", "bases/a.yaml", "bases/b.yaml", "run.yaml"] {
      unlink("\(folder)/\(name)")
    }
    rmdir("\(folder)/bases")
    rmdir(folder)
  }
  try body(folder)
}

private func write(_ path: String, _ text: String) throws {
  try write(path, bytes: Array(text.utf8))
}

private func write(_ path: String, bytes: [UInt8]) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  try #require(descriptor >= 0)
  defer { close(descriptor) }
  try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
}
