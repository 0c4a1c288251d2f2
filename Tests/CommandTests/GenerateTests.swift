import Files
import Testing

/// `nibble generate` behind prompts that are longer than the context a model was trained with.
@Suite struct GenerateTests {
  /// Longer than the context of ``SmallRun``, 32 bytes.
  private static let prompt = "Once upon a time there was a model that kept its states, and nothing else."

  private func generate(_ mixers: String) throws -> Program.Ending {
    let program = try Program()
    let keys = [mixers, "model.layers=2", "steps=2", "schedule.warmup=0", "evaluation.every=0"]
    let training = try program.run(SmallRun.arguments("out", keys))
    try #require(training.code == 0, "\(training.narration)")
    let call = ["generate", "out", "--prompt", Self.prompt, "--tokens", "5", "--device", "cpu", "--json"]
    return try program.run(call)
  }

  @Test(arguments: ["mixer.kind=gated_delta", "mixer.kind=mamba2"])
  func statesTakeAPromptOfAnyLength(mixers: String) throws {
    let ending = try generate(mixers)
    #expect(ending.code == 0, "\(ending.narration)")
    #expect(!ending.narration.contains("forgotten"), "\(ending.narration)")
    let result = try #require(try ending.json().first)
    #expect(result["prompt_tokens"]?.integerValue == Self.prompt.utf8.count)
    #expect(result["tokens"]?.integerValue == 5)
  }

  @Test func aLayerThatKeepsTokensTakesItsContextAtMost() throws {
    for mixers in ["mixer.kind=attention", "mixer.pattern=[gated_delta,attention]"] {
      let ending = try generate(mixers)
      #expect(ending.code == 2, "\(mixers): \(ending.narration)")
      let problem = "the prompt fills the model's context: \(Self.prompt.utf8.count) tokens of 32"
      #expect(ending.narration.contains(problem), "\(mixers): \(ending.narration)")
      #expect(ending.narration.contains("hint: "), "\(mixers): \(ending.narration)")
    }
  }
}
