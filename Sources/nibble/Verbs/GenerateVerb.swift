import ArgumentParser
import Engine
import Files
import Kernels
import Terminal
import Tokenizers

/// `nibble generate`: text from a checkpoint, streamed.
struct GenerateVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a text with a trained model.",
    discussion: """
      EXAMPLES
        nibble generate runs/NAME "Once upon a time"
        nibble generate model/ --prompt "ROMEO:" --tokens 200 --temperature 0.8 --top-k 50
        nibble generate model/ "The" --temperature 0 --json
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A model folder or a run folder.") var model: String
  @Argument(help: "The text to continue.") var promptArgument: String?
  @Option(help: "The text to continue, when it looks like an option.") var prompt: String?
  @Option(help: "Most tokens to add.") var tokens = 200
  @Option(help: "Divides the logits; 0 always takes the likeliest token.") var temperature = 0.8
  @Option(name: .customLong("top-k"), help: "Choose among the k likeliest tokens; 0 for all.") var topK = 0
  @Option(name: .customLong("top-p"), help: "Choose among the likeliest tokens that reach this probability.")
  var topP = 1.0
  @Option(help: "Seed of the choices.") var seed: UInt64 = 1

  func validate() throws {
    if !(1...1_000_000_000).contains(tokens) {
      throw ValidationError("--tokens is \(tokens); give 1 to 1000000000.")
    }
    if !(temperature >= 0) || temperature > 1000 {
      throw ValidationError("--temperature is \(temperature); give 0 to 1000, usually 0.5 to 1.2.")
    }
    if topK < 0 { throw ValidationError("--top-k is \(topK); give 0 for all, or a positive number.") }
    if !(topP > 0 && topP <= 1) {
      throw ValidationError("--top-p is \(topP); give a share above 0, at most 1.")
    }
    if prompt != nil, promptArgument != nil { throw ValidationError("The prompt is given twice.") }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let output = call.output
    try Interruption.installHandlers()
    let folder = try ModelFolder(model)
    let tokenizer = try ModelTokenizer.of(folder)
    let text = prompt ?? promptArgument ?? ""
    let ids = try promptIDs(text, tokenizer, folder)
    let context = folder.configuration.contextLength
    let isBounded = folder.configuration.keepsTokens
    guard ids.count <= context || !isBounded else {
      throw Failure(
        "the prompt fills the model's context: \(ids.count) tokens of \(context)",
        hints: ["shorten the prompt to at most \(context) tokens"])
    }
    let softcap = try ModelShape.softcap(of: folder)
    let device = try call.open()
    let loaded = try folder.load(on: device)
    let capacity = max(2, min(context, ids.count + tokens))
    let generator = Generator(
      loaded, options: SamplingOptions(temperature: temperature, topK: topK, topP: topP, seed: seed),
      capacity: capacity, softcap: softcap)
    let stops = Set(folder.configuration.endOfText + tokenizer.stopIDs)
    output.stream(text)
    let result = try stream(generator, ids, stops, tokenizer, output)
    output.result("")
    narrate(result, output)
    if generator.forgotten > 0 {
      output.narrate(
        "the model sees \(context) tokens at once: \(Numbers.grouped(generator.forgotten)) older ones were forgotten"
      )
    }
    output.json([
      "schema": 1, "prompt": .string(text), "text": .string(result.text),
      "prompt_tokens": .integer(ids.count), "tokens": .integer(result.ids.count),
      "ids": .array(result.ids.map { .integer(Int($0)) }), "stopped_by": .string(result.reason.rawValue),
      "prompt_time_s": .number(result.promptSeconds), "time_s": .number(result.seconds),
      "tokens_per_s": .number(result.tokensPerSecond), "device": .string(device.description.name),
      "memory_bytes": .integer(device.memoryUse.peak), "seed": .string(String(seed)),
    ])
    return result.reason == .interrupted ? Interruption.shared.stopReason?.exitCode ?? .interrupted : .done
  }

  private func promptIDs(_ text: String, _ tokenizer: any Tokenizer, _ folder: ModelFolder) throws -> [Int32]
  {
    var ids = tokenizer.encode(text, special: .added)
    // Something must be read before the first choice: what begins a text, or a line end.
    if ids.isEmpty {
      let start = tokenizer.beginningOfText ?? tokenizer.endOfText ?? tokenizer.encode("\n").first
      ids = start.map { [$0] } ?? []
    }
    guard !ids.isEmpty else {
      throw UsageError("there is no prompt", hints: ["nibble generate \(model) \"Once\""])
    }
    try TextFiles.check(ids, vocabulary: folder.configuration.vocabularySize, name: "the prompt")
    return ids
  }

  private enum StopReason: String {
    case endOfText = "end_of_text"
    case tokens
    case interrupted
  }

  private struct Result {
    var ids: [Int32] = []
    var text = ""
    var reason = StopReason.tokens
    var promptSeconds = 0.0
    var seconds = 0.0

    /// Without the first token, which comes out of the prompt.
    var tokensPerSecond: Double { ids.count > 1 && seconds > 0 ? Double(ids.count - 1) / seconds : 0 }
  }

  private func stream(
    _ generator: Generator, _ prompt: [Int32], _ stops: Set<Int32>, _ tokenizer: any Tokenizer,
    _ output: Output,
  ) throws -> Result {
    var result = Result()
    var decoder = TokenDecoder(tokenizer, special: .hidden)
    let start = Call.now()
    try generator.read(prompt)
    let first = Call.now()
    result.promptSeconds = first - start
    func emit(_ piece: String) {
      result.text += piece
      // A terminal must not be steered by what a model writes; a pipe gets the text as it is.
      output.stream(output.resultColumns == nil ? piece : TerminalText.safe(piece))
    }
    while true {
      let id = generator.next()
      if stops.contains(id) {
        result.reason = .endOfText
        break
      }
      result.ids.append(id)
      emit(decoder.append(id))
      if result.ids.count >= tokens { break }
      if Interruption.shared.stopReason != nil || output.isResultStreamClosed {
        result.reason = .interrupted
        break
      }
      try generator.read([id])
    }
    emit(decoder.finish())
    result.seconds = Call.now() - first
    return result
  }

  private func narrate(_ result: Result, _ output: Output) {
    if result.reason == .endOfText { output.narrate("the model ended the text") }
    output.narrate(
      "\(result.ids.count) tokens, \(Numbers.significant(result.tokensPerSecond)) tokens/s, prompt read in "
        + Numbers.duration(result.promptSeconds))
  }
}

/// Text for a terminal.
enum TerminalText {
  /// Control characters made visible, except line ends and tabs.
  static func safe(_ text: String) -> String {
    text.split(separator: "\t", omittingEmptySubsequences: false)
      .map { printable(String($0), keepingLines: true) }.joined(separator: "\t")
  }
}
