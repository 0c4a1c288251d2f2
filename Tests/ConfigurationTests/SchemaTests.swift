import Configuration
import Terminal
import Testing

@Suite struct SchemaTests {
  @Test(arguments: ConfigurationSchema.keys.map(\.name))
  func everyKeyIsDocumentedAndWritable(_ name: String) throws {
    let key = try #require(ConfigurationSchema.key(named: name))
    #expect(key.summary.hasSuffix(".") && key.summary.split(separator: " ").count >= 3)
    #expect(name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" || $0 == "." })
    switch key.kind {
    case .integer, .number: #expect(key.range != nil)
    case .boolean, .text, .choice, .list: #expect(key.range == nil)
    }
    if key.kind == .integer || key.kind == .number, case .integer(let value) = key.defaultValue {
      #expect(key.range?.contains(Double(value)) == true)
    }
  }

  @Test func namesAreUniqueAndSectionsDescribed() {
    let names = ConfigurationSchema.keys.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.count == 105)
    for section in ConfigurationSchema.sections {
      #expect(!ConfigurationSchema.summary(ofSection: section).isEmpty)
    }
    #expect(
      ConfigurationSchema.sections == [
        "model", "mixer", "precision", "adapter", "data", "task", "batch", "optimizer", "schedule", "loss",
        "evaluation",
        "checkpoint", "log",
      ])
  }

  @Test func markdownListsEveryKey() {
    let markdown = ConfigurationSchema.markdown
    for key in ConfigurationSchema.keys { #expect(markdown.contains("| `\(key.name)` |")) }
    #expect(
      markdown.contains(
        "| `optimizer.beta2` | number | 0.95 | 0 to below 1 |  | Decay of the squared gradient's mean (adamw). |"
      ))
    #expect(ConfigurationSchema.documentationTable.rowCount == ConfigurationSchema.keys.count)
  }

  @Test func jsonSchemaFollowsTheKeys() throws {
    let text = ConfigurationSchema.jsonSchema.description
    #expect(
      text.contains(
        "\"learning_rate\":{\"description\":\"Highest learning rate of the schedule.\",\"type\":\"number\","
          + "\"exclusiveMinimum\":0,\"maximum\":1e+30,\"default\":0.0003}"))
    #expect(
      text.contains(
        "\"kind\":{\"description\":\"Rule that updates the weights.\",\"enum\":[\"adamw\",\"sgd\"],\"default\":\"adamw\"}"
      ))
    #expect(text.contains("\"kv_heads\":{") && text.contains("\"x-derived\":\"heads\""))
    #expect(text.contains("\"additionalProperties\":false"))
  }

  @Test func completesKeysAndValues() {
    func texts(_ argument: String) -> [String] { ConfigurationSchema.completions(of: argument).map(\.text) }
    #expect(texts("se") == ["seed="])
    #expect(texts("optimizer.b") == ["optimizer.beta1=", "optimizer.beta2="])
    #expect(texts("opt").first == "optimizer.kind=")
    #expect(texts("schedule.kind=c") == ["schedule.kind=cosine", "schedule.kind=constant"])
    #expect(texts("model.tied=") == ["model.tied=true", "model.tied=false"])
    #expect(texts("preset=s") == ["preset=shakespeare", "preset=small"])
    #expect(texts("").contains("steps=") && texts("").contains("model."))
    #expect(texts("nothing=").isEmpty)
  }

  @Test func explainsAKey() throws {
    let key = try #require(ConfigurationSchema.key(named: "batch.tokens"))
    #expect(
      ConfigurationSchema.explanation(of: key) == """
        batch.tokens: Tokens per optimizer step, a multiple of micro x context.
          takes: integer
          default: derived: micro (or 8) x context
          range: 1 to 1000000000 tokens
          environment: NIBBLE_BATCH_TOKENS
        """)
  }

  @Test func showsKeysValuesAndOrigins() throws {
    let table = try resolve("", ["steps=5"]).table.rendered(columns: 70)
    #expect(table.lines.contains { $0.hasPrefix("steps ") && $0.hasSuffix("command line") })
    #expect(table.lines.allSatisfy { displayWidth($0) <= 70 })
  }
}
