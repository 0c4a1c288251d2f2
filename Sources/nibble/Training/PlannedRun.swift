import Configuration
import Engine
import Files
import Kernels
import Terminal
import Tokenizers

/// A run with everything decided and nothing begun: configuration, text, tokenizer, model, plan.
struct PlannedRun {
  let request: RunRequest
  let device: any OperationDevice
  let options: TrainingOptions
  let model: ModelConfiguration
  /// Where the weights come from; nil for a new model.
  let checkpoint: ModelFolder?
  /// Where a resumed run stands.
  let state: TrainingState?
  /// Nil when only the plan is wanted and no text was read.
  let data: RunData?
  /// Nil without a text, too.
  let tokenizer: RunTokenizer?
  let plan: RunPlan

  /// - Parameter readsText: Reads the text and trains a tokenizer when one is wanted; without, the plan takes the
  ///   sizes that the keys name.
  /// - Parameter matmulRate: What ``MatmulRate`` gave on such a device before; nil measures it.
  init(
    _ request: RunRequest, device: any OperationDevice, call: Call, readsText: Bool,
    matmulRate: Double? = nil,
  ) throws {
    self.request = request
    self.device = device
    let values = request.values
    let state = try request.checkpoint.map { try TrainingCheckpoint.readState($0) }
    var checkpoint = try (request.checkpoint ?? values.initialCheckpoint).map { try ModelFolder($0) }
    let corpus = values.data.task == .text ? try RunCorpus(values.data) : nil
    let tokenizer = try (readsText ? corpus : nil).map {
      try RunTokenizer(
        values.data, training: $0.training, folder: request.folder, checkpoint: request.checkpoint,
        narrating: call.output)
    }
    let vocabulary =
      try tokenizer?.tokenizer ?? PlannedTokenizer.standIn(values, checkpoint: request.checkpoint)
    let options = PlannedRun.options(request, state)
    var model = try checkpoint?.configuration ?? ModelShape.configuration(values, vocabulary)
    model.precision = try LinearPrecision(
      values, steps: options.steps == TrainingOptions.unlimitedSteps ? nil : options.steps)
    model.storage = NumberStorage(values)
    // A run that goes on has its adapters in the checkpoint.
    if request.checkpoint == nil { model.adapter = LowRankAdapter(values) }
    checkpoint?.configuration = model
    try PlannedRun.checkSize(values, device: device.description.name)
    data = try readsText ? PlannedRun.data(corpus, tokenizer, values, model, call.output) : nil
    let estimate = try TrainingPlanner.estimate(
      model, options: options, rule: OptimizerRule.rule(values.optimizer), device: device.description)
    let recipe = try TrainingPlanner.recipeCost(model, options: options, device: device.description)
    plan = RunPlan(
      request: request, model: model, options: options, estimate: estimate, recipe: recipe,
      device: device.description,
      matmulRate: matmulRate ?? MatmulRate.measure(on: device), trainingTokens: data?.trainingTokens,
      validationTokens: data?.validationTokens, revision: SourceRevision.current(),
      firstStep: state?.step ?? 0)
    (self.state, self.checkpoint, self.tokenizer) = (state, checkpoint, tokenizer)
    (self.model, self.options) = (model, options)
    try checkContext()
  }

  private static func data(
    _ corpus: RunCorpus?, _ tokenizer: RunTokenizer?, _ values: RunConfiguration, _ model: ModelConfiguration,
    _ output: Output,
  ) throws -> RunData {
    let context = values.model.context
    guard let corpus, let tokenizer else {
      let task = try RunTask(values, length: context, vocabulary: model.vocabularySize)
      return RunData(task: task, sequencesPerStep: values.batch.tokens / context)
    }
    return try RunData(
      corpus, values, tokenizer, stopTokens: model.endOfText, vocabulary: model.vocabularySize,
      narrating: output)
  }

  private static func options(_ request: RunRequest, _ state: TrainingState?) -> TrainingOptions {
    // A run's file names the steps unless only time was asked for.
    let isAsked = isPersonal(request.resolved.origin(of: "steps"))
    let isOpen = state.map { $0.totalSteps == TrainingOptions.unlimitedSteps } ?? !isAsked
    var options = TrainingOptions(request.values, stepsAreLimit: !isOpen)
    guard let state, request.values.minutes != nil, !isOpen else { return options }
    // The number of steps was chosen when the run was timed, and the schedule follows it.
    let isChanged = request.changes.contains { $0.key.name == "steps" || $0.key.name == "minutes" }
    if !isChanged { options.takeChosenSteps(state.totalSteps) }
    return options
  }

  /// Whether somebody chose a value.
  static func isPersonal(_ origin: Origin) -> Bool {
    switch origin {
    case .file, .environment, .commandLine, .flag: true
    case .builtIn, .derived, .preset: false
    }
  }

  /// Sizes whose product would not even be a number of bytes are refused before anything is counted exactly.
  private static func checkSize(_ values: RunConfiguration, device: String) throws {
    let model = values.model
    let width = Double(model.dimension)
    let heads = Double(model.heads) * Double(model.headDimension)
    let block = 4 * width * heads + 3 * width * Double(model.hidden)
    let parameters = Double(model.layers) * block + 2 * Double(model.vocabulary) * width
    let activations = Double(values.batch.micro) * Double(model.context) * (width + Double(model.hidden))
    guard parameters < 1e12, activations * Double(model.layers) < 1e14 else {
      throw Failure(
        "the run does not fit on \(device): about \(Numbers.si(parameters)) parameters and "
          + "\(Numbers.si(activations)) activations a layer",
        hints: ["a smaller model, batch.micro or model.context"], exitCode: .doesNotFit)
    }
  }

  private func checkContext() throws {
    guard options.contextLength > model.contextLength else { return }
    throw Failure(
      "model.context \(options.contextLength) is longer than the checkpoint's \(model.contextLength) tokens",
      hints: ["model.context=\(model.contextLength) at most"])
  }
}

/// The number of ids that a tokenizer will have, for a plan that reads no text.
enum PlannedTokenizer {
  /// - Parameter checkpoint: Where the run goes on from; it has its tokenizer with it.
  static func standIn(_ values: RunConfiguration, checkpoint: String?) throws -> any Tokenizer {
    let settings = values.data
    // A generated task has ids without text.
    guard settings.task == .text else { return SizedTokenizer(vocabularySize: values.model.vocabulary) }
    return switch settings.tokenizer {
    case .bytes: ByteTokenizer(endOfText: settings.endOfText ? .present : .absent)
    case .file(let path): try ModelTokenizer.named(checkpoint ?? path)
    case .bytePairs(let vocabulary): SizedTokenizer(vocabularySize: vocabulary)
    }
  }

  /// Has a size, and bytes for what little a plan asks.
  private struct SizedTokenizer: Tokenizer {
    let vocabularySize: Int
    private let bytes = ByteTokenizer()

    init(vocabularySize: Int) { self.vocabularySize = vocabularySize }

    var endOfText: Int32? { nil }
    var beginningOfText: Int32? { nil }
    func encode(_ text: String, special: SpecialTokenUse) -> [Int32] { bytes.encode(text, special: special) }
    func encode(bytes: [UInt8], special: SpecialTokenUse) -> [Int32] {
      self.bytes.encode(bytes: bytes, special: special)
    }
    func bytes(of id: Int32) -> [UInt8]? { bytes.bytes(of: id) }
    func id(of token: String) -> Int32? { bytes.id(of: token) }
    func isSpecial(_ id: Int32) -> Bool { false }
  }
}
