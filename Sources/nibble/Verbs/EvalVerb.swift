import ArgumentParser
import Configuration
import Engine
import Files
import Glibc
import Kernels
import Terminal
import Tokenizers

/// `nibble eval`: how well a model predicts a text.
struct EvalVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Loss, perplexity and bits per byte of a model on a text.",
    discussion: """
      Windows of --context tokens from the start, without overlap; a last incomplete one is left out and the first
      token of each is not scored. --split validation measures as training does: every token is scored.

      EXAMPLES
        nibble eval model/ --data text.txt --context 256
        nibble eval runs/NAME --split validation
        nibble eval model/ --data text.txt --json
        nibble eval runs/MQAR                   the accuracy of a run on a generated task
      """)

  /// Which part of the data is measured.
  enum Split: String, CaseIterable, ExpressibleByArgument {
    case all
    case training
    case validation
  }

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A model folder or a run folder.") var model: String
  @Option(help: "The text: .txt, .jsonl, .bin, a folder, or 'embedded'. A run's own text by default.")
  var data: String?
  @Option(help: "Tokens of a window; the model's context by default.") var context: Int?
  @Option(help: "all, training or validation; validation is the last tenth.") var split: Split?

  func run(_ call: Call) throws -> Terminal.ExitCode {
    try Interruption.installHandlers()
    let folder = try ModelFolder(model)
    let softcap = try ModelShape.softcap(of: folder)
    if data == nil, let values = try EvaluationSource.configuration(of: model), values.data.task != .text {
      return try evaluateTask(values, folder, softcap: softcap, call)
    }
    let tokenizer = try ModelTokenizer.of(folder)
    let source = try EvaluationSource(model: model, data: data, split: split)
    let window = try windowLength(folder, usual: source.context, call.output)
    let tokens = try TextFiles.tokens(
      source.corpus, tokenizer, endOfText: source.endOfText, narrating: call.output)
    try check(tokens, folder)
    let rule: EvaluationWindows.Rule = source.split == .all ? .completeWindows : .everyToken
    let windows = try EvaluationWindows(tokens, context: window, rule: rule)
    let device = try call.open()
    let loaded = try folder.load(on: device)
    let start = Call.now()
    let result = try measure(loaded, windows, call, softcap: softcap)
    if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
    let report = EvaluationReport(
      result: result, windows: windows, tokens: tokens.count,
      byteCount: windows.scoredByteCount(with: tokenizer),
      seconds: Call.now() - start)
    report.print(call.output)
    call.output.json(
      report.json(
        model: folder.path, data: source.name, split: source.split.rawValue, device: device.description.name))
    return result.loss.isFinite ? .done : .failed
  }

  /// - Parameter usual: The length where none was asked for; nil for the model's context.
  func windowLength(_ folder: ModelFolder, usual: Int?, _ output: Output) throws -> Int {
    let limit = folder.configuration.contextLength
    let window = context ?? usual ?? limit
    guard window >= 2 else { throw UsageError("--context is \(window)", hints: ["give at least 2 tokens"]) }
    if window > limit {
      guard folder.configuration.rope != nil else {
        throw Failure(
          "windows of \(window) tokens are longer than the model's \(limit) positions",
          hints: ["--context \(limit) at most"])
      }
      guard window <= 1 << 24 else {
        throw UsageError("--context is \(window)", hints: ["--context \(limit)"])
      }
      output.warning(
        ErrorReport("windows of \(window) tokens are longer than the \(limit) that the model was made for"))
    }
    return window
  }

  private func check(_ tokens: TokenSequence, _ folder: ModelFolder) throws {
    let vocabulary = folder.configuration.vocabularySize
    guard tokens.vocabularySize > vocabulary else { return }
    for start in stride(from: 0, to: tokens.count, by: 1 << 16) {
      let part = tokens.tokens(in: start..<min(tokens.count, start + 1 << 16))
      try TextFiles.check(part, vocabulary: vocabulary, name: data ?? model)
    }
  }

  func measure(
    _ model: any LanguageModel, _ windows: any EvaluationBatches, _ call: Call, softcap: Double,
  ) throws -> Evaluator.Result {
    let output = call.output
    // About 2,000 tokens at once keep the matrix products large and memory small.
    let batch = max(1, min(windows.count, 2048 / windows.context))
    let total = windows.scoredTokenCount
    let start = Call.now()
    var reported = start
    return try Evaluator(model, batch: batch, softcap: softcap).run(windows) { partial in
      let now = Call.now()
      let share = Double(partial.scoredTokens) / Double(max(1, total))
      let left = Numbers.duration((now - start) / max(share, 1e-9) * (1 - share))
      output.progress.update { columns in
        [
          progressBar(share, columns: min(30, columns / 3), glyphs: output.glyphs)
            + " \(Numbers.percent(share)) loss \(Numbers.fixed(partial.loss, decimals: 4)), \(left) left"
        ]
      }
      if now - reported >= 10 {
        reported = now
        output.progress.record([
          ("scored", "\(partial.scoredTokens)"), ("loss", Numbers.fixed(partial.loss, decimals: 4)),
          ("left", left),
        ])
      }
      return Interruption.shared.stopReason == nil
    }
  }
}

/// The text that an evaluation runs over: the one given, or that of the model's run.
struct EvaluationSource {
  let corpus: Corpus
  let name: String
  let split: EvalVerb.Split
  let endOfText: Bool
  /// The context that the run trained with.
  let context: Int?

  init(model: String, data: String?, split: EvalVerb.Split?) throws {
    let configuration = try EvaluationSource.configuration(of: model)
    let settings = configuration?.data ?? DataSettings()
    let isRunsOwn = data == nil
    guard let name = data ?? settings.path else {
      throw UsageError(
        "no text to evaluate on", hints: ["--data FILE, for example nibble eval \(model) --data text.txt"])
    }
    self.name = name
    self.split = split ?? (isRunsOwn ? .validation : .all)
    context = isRunsOwn || self.split != .all ? configuration?.model.context : nil
    endOfText = isRunsOwn && settings.endOfText
    let separator = isRunsOwn ? settings.separator : ""
    if self.split == .validation, isRunsOwn, let other = settings.validation {
      corpus = try TextFiles.corpus(other, separator: separator)
      return
    }
    let whole = try TextFiles.corpus(name, separator: separator)
    let fraction = isRunsOwn ? settings.validationFraction : DataSettings().validationFraction
    switch self.split {
    case .all: corpus = whole
    case .training:
      let isWhole = isRunsOwn && settings.validation != nil
      corpus = try isWhole ? whole : whole.split(validationFraction: fraction).training
    case .validation:
      guard let part = try whole.split(validationFraction: fraction).validation else {
        throw Failure("the run kept no text for validation", hints: ["--data FILE, or --split training"])
      }
      corpus = part
    }
  }

  /// The configuration of a run folder, or of the run that a checkpoint lies in; nil for other models.
  static func configuration(of model: String) throws -> RunConfiguration? {
    for folder in [model, model + "/../.."] where RunFolder.isRun(folder) {
      return try ResolvedConfiguration(ConfigurationSources(file: folder + "/config.yaml")).values
    }
    return nil
  }
}

/// What an evaluation found.
struct EvaluationReport {
  let result: Evaluator.Result
  let windows: EvaluationWindows
  let tokens: Int
  /// UTF-8 bytes of the scored tokens.
  let byteCount: Int
  let seconds: Double

  var perplexity: Double { exp(result.loss) }
  /// Standard error of the perplexity: that of the loss, carried through the exponential.
  var perplexityError: Double { perplexity * result.standardError }
  /// Nil when the tokens stand for no bytes.
  var bitsPerByte: Double? { byteCount > 0 ? result.total / log(2) / Double(byteCount) : nil }
  var tokensPerSecond: Double { seconds > 0 ? Double(result.scoredTokens) / seconds : 0 }

  func print(_ output: Output) {
    let sign = output.glyphs == .unicode ? "±" : "+-"
    func strong(_ text: String) -> String { output.resultStyle.applied(.emphasis, to: text) }
    output.result(
      "loss           \(strong(Numbers.fixed(result.loss, decimals: 4))) \(sign) "
        + "\(Numbers.fixed(result.standardError, decimals: 4)) nats a token")
    output.result(
      "perplexity     \(strong(Numbers.significant(perplexity, digits: 5))) \(sign) "
        + Numbers.significant(perplexityError, digits: 2))
    if let bitsPerByte { output.result("bits per byte  \(strong(Numbers.fixed(bitsPerByte, decimals: 4)))") }
    output.result(
      "scored         \(Numbers.grouped(result.scoredTokens)) of \(Numbers.grouped(tokens)) tokens in "
        + "\(Numbers.grouped(windows.count)) windows of \(Numbers.grouped(windows.context))")
    output.narrate("\(Numbers.duration(seconds)), \(Numbers.grouped(Int(tokensPerSecond))) tokens/s")
  }

  func json(model: String, data: String, split: String, device: String) -> JSONText {
    [
      "schema": 1, "model": .string(model), "data": .string(data), "split": .string(split),
      "loss": .number(result.loss), "loss_error": .number(result.standardError),
      "perplexity": .number(perplexity), "perplexity_error": .number(perplexityError),
      "bits_per_byte": JSONText(bitsPerByte), "scored_tokens": .integer(result.scoredTokens),
      "scored_bytes": .integer(byteCount), "tokens": .integer(tokens), "context": .integer(windows.context),
      "windows": .integer(windows.count),
      "rule": .string(windows.rule == .everyToken ? "every_token" : "complete_windows"),
      "time_s": .number(seconds), "tokens_per_s": .number(tokensPerSecond), "device": .string(device),
    ]
  }
}
