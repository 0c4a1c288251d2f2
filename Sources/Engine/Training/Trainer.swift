import Files
import Kernels

/// What a trainer tells while it works, and asks.
public protocol TrainingObserver: AnyObject {
  /// An update is finished; `validationLoss` is set when it was measured at this update.
  func didStep(_ metrics: StepMetrics, totalSteps: Int)
  func didEvaluate(_ result: Evaluator.Result, step: Int)
  func didSample(_ text: String, step: Int)
  func didSaveCheckpoint(_ path: String, step: Int, isBest: Bool)
  /// The number of updates was chosen from the time that was asked for.
  func didChoose(totalSteps: Int, secondsPerStep: Double)
  /// Asked after every update.
  func request() -> TrainingRequest
}

/// What the user wants at this moment.
public enum TrainingRequest: Sendable, Equatable {
  case goOn
  /// Write a checkpoint and go on.
  case save
  /// Write a checkpoint and stop.
  case stop
}

/// How a run ended.
public enum TrainingOutcome: Sendable, Equatable {
  case finished
  case stopped
}

/// A run that cannot go on.
public enum TrainingError: Error, CustomStringConvertible {
  case nonFinite(step: Int, value: String, place: String?, checkpoint: String)
  case otherData(expected: String, found: String)

  public var description: String {
    switch self {
    case .nonFinite(let step, let value, let place, let checkpoint):
      """
      step \(step): the \(value) is not finite
        first non-finite result: \(place ?? "not found when the step was repeated")
        the parameters are those before the step, saved in \(checkpoint)
        hint: lower optimizer.learning_rate, set optimizer.clip=0.5, or lengthen schedule.warmup
      """
    case .otherData(let expected, let found):
      """
      the data is not what this run was trained on
        SHA-256 of the run's data: \(expected)
        SHA-256 of the data given: \(found)
        hint: give the run's own data, or start another run with --output
      """
    }
  }
}

/// Trains a model: updates, evaluations, samples, checkpoints.
///
/// Every update is a pure function of the state before it and its number, so a run that was stopped and resumed
/// repeats the uninterrupted one bit for bit on the same device.
public final class Trainer {
  public private(set) var options: TrainingOptions
  public private(set) var state: TrainingState
  private let step: TrainingStep
  private let data: TrainingData
  private let folder: RunFolder
  private let metrics: MetricsLog
  private let attachments: [TrainingCheckpoint.Attachment]
  private let clock: () -> Double
  private var lastSaved: Int?

  /// What a run trains on and is measured on.
  public struct TrainingData {
    public let sampler: any TrainingBatches
    /// What is held out; nil without it.
    public let validation: (any EvaluationBatches)?
    public let hash: String
    /// How tokens become text; nil where they never were text, and then samples cannot be asked for.
    public let coding: TextCoding?

    public init(
      sampler: any TrainingBatches, validation: (any EvaluationBatches)?, hash: String, coding: TextCoding?,
    ) {
      self.sampler = sampler
      self.validation = validation
      self.hash = hash
      self.coding = coding
    }
  }

  /// Between text and tokens.
  public struct TextCoding {
    public let encode: (String) -> [Int32]
    public let decode: ([Int32]) -> String
    public let stopTokens: Set<Int32>

    public init(
      encode: @escaping (String) -> [Int32], decode: @escaping ([Int32]) -> String, stopTokens: Set<Int32>,
    ) {
      self.encode = encode
      self.decode = decode
      self.stopTokens = stopTokens
    }
  }

  /// - Parameters:
  ///   - options: ``TrainingOptions/steps`` is the whole run's number, whatever an earlier call was given.
  ///   - state: Where to go on; nil starts anew.
  ///   - clock: Seconds since 1970 that never jump; event files carry them.
  public init(
    _ options: TrainingOptions, model: any LanguageModel, optimizer: Optimizer, data: TrainingData,
    folder: RunFolder, metrics: MetricsLog, attachments: [TrainingCheckpoint.Attachment],
    state: TrainingState? = nil, clock: @escaping () -> Double,
  ) throws {
    if let state, state.dataHash != data.hash {
      throw TrainingError.otherData(expected: state.dataHash, found: data.hash)
    }
    self.options = options
    self.state =
      state
      ?? TrainingState(totalSteps: options.steps, seed: options.seed, dataHash: data.hash)
    // A resumed run may be longer or shorter than it was: its checkpoints say what holds now.
    self.state.totalSteps = options.steps
    self.data = data
    self.folder = folder
    self.metrics = metrics
    self.attachments = attachments
    self.clock = clock
    step = TrainingStep(
      model: model, optimizer: optimizer, loss: options.loss, clip: options.clip,
      recomputesLayers: options.recomputesLayers)
    lastSaved = state?.step
    guard options.oscillationInterval > 0 else { return }
    let oscillations = OscillationTracker(model.parameters)
    if let state { try oscillations.restore(from: folder.checkpointPath(step: state.step)) }
    step.oscillations = oscillations
  }

  /// Trains to the end or until asked to stop.
  ///
  /// Saves in both cases.
  public func run(_ observer: any TrainingObserver) throws -> TrainingOutcome {
    let start = clock()
    var timed: [Double] = []
    while state.step < options.steps {
      let began = clock()
      let (result, learningRate) = try update()
      let seconds = clock() - began
      timed.append(seconds)
      if timed.count == Self.timedSteps, let wanted = options.seconds {
        choose(wanted, timed, start, observer)
      }
      let isLast = state.step == options.steps
      let isBest = try afterUpdate(result, learningRate, seconds, start, isLast: isLast, observer)
      let request = observer.request()
      let isDue = options.checkpointInterval > 0 && state.step.isMultiple(of: options.checkpointInterval)
      // The best weights are saved when they are measured: later ones are no substitute.
      if isDue || isLast || isBest || request != .goOn { try save(isBest: isBest, observer) }
      if request == .stop, !isLast { return .stopped }
    }
    return .finished
  }

  private func update() throws -> (TrainingStep.Result, Double) {
    let batches = microBatches()
    let learningRate = options.schedule(state.step + 1)
    let interval = options.roundingInterval
    let result = try step.run(
      batches, learningRate: learningRate, peakLearningRate: options.schedule.peak,
      measuresRounding: interval > 0 && state.step.isMultiple(of: interval),
      annealingRadius: state.step >= options.steps - options.annealingSteps ? options.annealingRadius : nil)
    guard result.isFinite else { throw try nonFinite(result, batches) }
    state.step += 1
    state.sequences += options.sequencesPerStep
    state.tokens += options.tokensPerStep
    return (result, learningRate)
  }

  private func microBatches() -> [Batch] {
    stride(from: 0, to: options.sequencesPerStep, by: options.microBatch).map { first in
      data.sampler.batch(
        step: state.step, sequences: first..<min(first + options.microBatch, options.sequencesPerStep))
    }
  }

  private func nonFinite(_ result: TrainingStep.Result, _ batches: [Batch]) throws -> TrainingError {
    let place = try step.firstNonFinite(batches)
    if lastSaved != state.step || !Folder.exists(folder.checkpointPath(step: state.step)) {
      try write(isBest: false)
    }
    // A NaN can carry a sign, which says nothing.
    let norm = result.gradientNorm.isNaN ? .nan : result.gradientNorm
    let value = result.loss.isFinite ? "gradient norm \(norm)" : "loss \(result.loss)"
    return .nonFinite(
      step: state.step + 1, value: value, place: place, checkpoint: folder.checkpointPath(step: state.step))
  }

  /// Updates that are timed before their number is chosen.
  private static let timedSteps = 8

  /// Chooses how many updates fit into the time asked for, once the first ones, which compile kernels, are over.
  private func choose(_ wanted: Double, _ timed: [Double], _ start: Double, _ observer: any TrainingObserver)
  {
    let typical = timed.dropFirst(3).sorted()[(timed.count - 3) / 2]
    let left = wanted - (clock() - start)
    // A twentieth of the time is left for evaluations, samples and checkpoints.
    let fitting = min(max(1, 0.95 * left / max(typical, 1e-6)), 1e12)
    let chosen = min(options.steps, state.step + Int(fitting))
    guard chosen != options.steps else { return }
    options.take(chosenSteps: chosen)
    state.totalSteps = options.steps
    observer.didChoose(totalSteps: options.steps, secondsPerStep: typical)
  }

  /// Evaluates and samples where it is time, and records the update.
  ///
  /// - Returns: Whether the evaluation is the best so far.
  private func afterUpdate(
    _ result: TrainingStep.Result, _ learningRate: Double, _ seconds: Double, _ start: Double, isLast: Bool,
    _ observer: any TrainingObserver,
  ) throws -> Bool {
    var evaluation: Evaluator.Result?
    var isBest = false
    let interval = options.evaluationInterval
    if let windows = data.validation, isLast || (interval > 0 && state.step.isMultiple(of: interval)) {
      let result = try evaluate(windows)
      evaluation = result
      isBest = state.take(result)
      observer.didEvaluate(result, step: state.step)
    }
    if options.sampleInterval > 0, isLast || state.step.isMultiple(of: options.sampleInterval) {
      guard let coding = data.coding else {
        preconditionFailure("samples were asked of a run whose tokens are no text")
      }
      observer.didSample(try sample(coding), step: state.step)
    }
    let isReported =
      options.oscillationInterval > 0 && (isLast || state.step.isMultiple(of: options.oscillationInterval))
    let line = StepMetrics(
      step: state.step, tokens: state.tokens, loss: result.loss, learningRate: learningRate,
      gradientNorm: result.gradientNorm, tokensPerSecond: Double(options.tokensPerStep) / seconds,
      validationLoss: evaluation?.loss, validationAccuracy: evaluation?.accuracy,
      memoryByteCount: step.model.parameters.device.memoryUse.peak,
      seconds: metrics.secondsBefore + clock() - start, rounding: result.rounding,
      oscillations: isReported ? try step.oscillations?.statistics() ?? [] : [])
    try metrics.append(line, wallTime: clock())
    observer.didStep(line, totalSteps: options.steps)
    return isBest
  }

  /// Validation loss over ``TrainingOptions/evaluationTokens`` or everything.
  public func evaluate(_ windows: any EvaluationBatches) throws -> Evaluator.Result {
    let limit = options.evaluationTokens
    return try evaluator.run(windows) { limit == 0 || $0.scoredTokens < limit }
  }

  /// The loss over everything that is held out; nil without it.
  ///
  /// - Parameter onProgress: Returning false stops early.
  public func evaluateAll(onProgress: @escaping (Evaluator.Result) -> Bool) throws -> Evaluator.Result? {
    try data.validation.map { try evaluator.run($0, onProgress: onProgress) }
  }

  private var evaluator: Evaluator {
    Evaluator(step.model, batch: max(options.microBatch, 1), softcap: options.loss.softcap)
  }

  private func sample(_ coding: TextCoding) throws -> String {
    let model = step.model
    let prompt = coding.encode(options.samplePrompt)
    let start = prompt.isEmpty ? [coding.stopTokens.min() ?? coding.encode("\n").first ?? 0] : prompt
    let capacity = max(2, min(model.configuration.contextLength, options.contextLength))
    let generator = Generator(
      model, options: SamplingOptions(temperature: 0.8, topK: 200, seed: options.seed), capacity: capacity,
      softcap: options.loss.softcap)
    var tokens: [Int32] = []
    try generator.read(Array(start.suffix(capacity)))
    while tokens.count < options.sampleTokens {
      let token = generator.next()
      if coding.stopTokens.contains(token) { break }
      tokens.append(token)
      try generator.read([token])
    }
    return coding.decode(prompt + tokens)
  }

  // MARK: Checkpoints

  private func save(isBest: Bool, _ observer: any TrainingObserver) throws {
    guard lastSaved != state.step else { return }
    try write(isBest: isBest)
    try folder.prune(keeping: options.keptCheckpoints)
    observer.didSaveCheckpoint(folder.checkpointPath(step: state.step), step: state.step, isBest: isBest)
  }

  private func write(isBest: Bool) throws {
    try TrainingCheckpoint.write(
      state, model: step.model, optimizer: step.optimizer, attachments: attachments,
      oscillations: step.oscillations, to: folder.checkpointPath(step: state.step))
    // First, so that the best loss in the state of `latest` is never better than the one `best` points to.
    if isBest { try folder.point("best", to: state.step) }
    try folder.point("latest", to: state.step)
    lastSaved = state.step
  }
}
