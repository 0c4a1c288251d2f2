import Files
import Testing

/// Results stand on standard output, as text or as JSON, and nothing else does.
@Suite struct OutputTests {
  @Test func showsTheVerbsInTwentyLines() throws {
    let ending = try Program().run([])
    #expect(ending.code == 0)
    #expect(ending.output.split(separator: "\n", omittingEmptySubsequences: false).count <= 21)
    for verb in ["train", "generate", "eval", "verify", "devices", "inspect", "config"] {
      #expect(ending.output.contains("  \(verb) "))
    }
    #expect(ending.narration.isEmpty)
  }

  @Test func tellsItsVersion() throws {
    let ending = try Program().run("--version")
    #expect(ending.code == 0)
    #expect(ending.output.split(separator: ".").count == 3)
  }

  @Test(arguments: [
    "train", "sweep", "generate", "eval", "report", "verify", "devices", "inspect", "config", "tokenizer",
    "completions",
  ])
  func helpFitsAScreenAndHasExamples(verb: String) throws {
    let ending = try Program().run(["help", verb])
    #expect(ending.code == 0)
    #expect(ending.output.contains("EXAMPLES"))
    #expect(ending.output.split(separator: "\n").count <= 70)
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func writesCompletions(shell: String) throws {
    let ending = try Program().run(["completions", shell])
    #expect(ending.code == 0)
    #expect(ending.output.contains("nibble"))
    #expect(ending.output.contains("generate"))
  }

  @Test func listsDevicesAsData() throws {
    let ending = try Program().run("devices --json")
    #expect(ending.code == 0)
    let value = try #require(try ending.json().first)
    let devices = try #require(value["devices"]?.arrayValue)
    #expect(devices.contains { $0["name"]?.stringValue == "cpu" })
    #expect(devices.filter { $0["default"]?.boolValue == true }.count == 1)
    #expect(value["schema"]?.integerValue == 1)
  }

  @Test func verifiesAnOperation() throws {
    let ending = try Program().run("verify --device cpu --only sum_rows --json")
    #expect(ending.code == 0)
    let lines = try ending.json()
    let cases = lines.filter { $0["kind"]?.stringValue == "case" }
    #expect(!cases.isEmpty)
    #expect(
      cases.allSatisfy {
        $0["verdict"]?.stringValue == "passed" && $0["operation"]?.stringValue == "sum_rows"
      })
    #expect(lines.last?["kind"]?.stringValue == "summary")
  }

  @Test func plansWithoutTraining() throws {
    let program = try Program()
    let ending = try program.run(SmallRun.arguments("out", ["--plan", "--json"]))
    #expect(ending.code == 0)
    let plan = try #require(try ending.json().first)
    #expect(plan["fits"]?.boolValue == true)
    let parts = ["weight_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes"]
    let sum = try parts.reduce(0) { try $0 + #require(plan[$1]?.integerValue) }
    #expect(plan["memory_bytes"]?.integerValue == sum)
    #expect(!Folder.exists(program.workplace.path + "/out"))
  }

  @Test func configurationsRoundTripAndShowOrigins() throws {
    let program = try Program()
    #expect(try program.run("config new run.yaml preset=shakespeare steps=77").code == 0)
    #expect(try program.run("config new run.yaml").code == 2)
    let shown = try program.run("config show run.yaml")
    #expect(shown.output.contains("77"))
    #expect(shown.output.contains("run.yaml:"))
    #expect(try program.run("config check run.yaml").code == 0)
    #expect(try program.run("config schema --json").json().first?["properties"] != nil)
  }

  @Test func trainsATokenizerAndEncodesWithIt() throws {
    let program = try Program()
    let text = String(repeating: "the cat sat on the mat and the dog sat on the log\n", count: 40)
    try program.workplace.write(text, to: "cats.txt")
    #expect(try program.run("tokenizer train --data cats.txt --vocabulary 280 --output tok").code == 0)
    let encoded = try program.run(["tokenizer", "encode", "tok", "the cat sat", "--json"])
    let ids = try #require(try encoded.json().first?["ids"]?.arrayValue).compactMap(\.integerValue)
    #expect(ids.count < 11)
    let decoded = try program.run(["tokenizer", "decode", "tok"] + ids.map(String.init))
    #expect(decoded.output == "the cat sat\n")
    let size = try #require(try program.run("inspect tok --json").json().first?["vocabulary"]?.integerValue)
    #expect((258...280).contains(size))
    #expect(try program.run("tokenizer train --data cats.txt --output tok").code == 2)
  }
}
