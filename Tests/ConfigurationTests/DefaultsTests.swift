import Configuration
import Terminal
import Testing

/// Resolves a YAML text and assignments.
func resolve(
  _ yaml: String = "", _ assignments: [String] = [], environment: [String: String] = [:]
) throws -> ResolvedConfiguration {
  let parsed = try assignments.map { try #require(Assignment(argument: $0)) }
  return try ResolvedConfiguration(
    ConfigurationSources(
      text: .init(yaml: yaml, name: "run.yaml"), environment: environment, assignments: parsed))
}

/// The printed problems of a configuration that must not resolve.
func problems(
  _ yaml: String = "", _ assignments: [String] = [], environment: [String: String] = [:]
) throws -> String {
  let error = #expect(throws: ConfigurationError.self) {
    try resolve(yaml, assignments, environment: environment)
  }
  return try #require(error).description
}

@Suite struct DefaultsTests {
  @Test func builtInValuesObeyTheirOwnRules() throws {
    let resolved = try ResolvedConfiguration(ConfigurationSources())
    #expect(resolved.values == RunConfiguration())
    #expect(resolved.warnings.isEmpty)
    #expect(resolved.origin(of: "steps") == .builtIn)
    #expect(resolved.origin(of: "model.kv_heads") == .derived(rule: "heads"))
  }

  @Test func derivedValuesFollowTheOthers() throws {
    let values = try resolve("model: {dimension: 768, heads: 12, context: 1024}\nsteps: 50").values
    #expect(values.model.headDimension == 64)
    #expect(values.model.kvHeads == 12)
    #expect(values.model.hidden == 2048)
    #expect(values.batch.tokens == 8192)
    #expect(values.schedule.warmup == 5)
    #expect(values.schedule.decaySteps == 45)
    let gpt2 = try resolve("model: {architecture: gpt2, dimension: 768, heads: 12}").values.model
    #expect(gpt2.hidden == 3072)
    #expect(gpt2.attentionBias && gpt2.mlpBias)
  }

  @Test(arguments: [(128, 352), (256, 688), (384, 1024), (512, 1376), (768, 2048)])
  func hiddenIsEightThirdsRoundedUpToSixteen(_ dimension: Int, _ hidden: Int) throws {
    #expect(try resolve("", ["model.dimension=\(dimension)"]).values.model.hidden == hidden)
  }

  @Test func derivedValuesCanBePinnedAndFreed() throws {
    let pinned = try resolve("model: {hidden: 1000}", ["model.dimension=512"])
    #expect(pinned.values.model.hidden == 1000)
    #expect(pinned.origin(of: "model.hidden") == .file(path: "run.yaml", line: 1))
    let freed = try resolve("model: {hidden: 1000}", ["model.hidden=null"])
    #expect(freed.values.model.hidden == 688)
    #expect(freed.origin(of: "model.hidden").description.hasPrefix("derived: 8/3"))
  }

  @Test func microFollowsTheTokens() throws {
    #expect(try resolve("", ["batch.tokens=768"]).values.batch.micro == 3)
    #expect(try resolve("", ["batch.tokens=32768"]).values.batch.micro == 8)
    let values = try resolve("", ["batch.micro=3"]).values
    #expect(values.batch.tokens == 768)
    #expect(values.microBatchesPerStep == 1)
  }

  @Test func scheduleDecayFollowsItsKind() throws {
    #expect(try resolve("", ["schedule.kind=wsd"]).values.schedule.decaySteps == 200)
    #expect(try resolve("", ["schedule.kind=constant"]).values.schedule.decaySteps == 0)
    #expect(try resolve("", ["optimizer.learning_rate=1e-2"]).values.schedule.minimum == 1e-3)
  }
}
