import Files
import Kernels
import Synchronization

@testable import Engine

/// A run of a tiny model in a folder of its own.
final class TinyRun {
  let scratch: TemporaryFolder
  let device: any OperationDevice
  var options: TrainingOptions
  var kind = TinyModel.llama
  var precision: LinearPrecision?
  var storage = NumberStorage()
  /// Changes the model's configuration.
  var adjust: (inout ModelConfiguration) -> Void = { _ in }
  /// A model's folder with adapters to train on it; nil for a new model.
  var adapted: ModelFolder?
  var dataHash = "data"
  /// Seconds that the clock advances each time it is read; the clock begins anew with each process.
  var tick = 0.25
  var writesEvents = false
  /// What is trained on instead of the text; nil for the text.
  var otherData: ((TinyRun) throws -> Trainer.TrainingData)?

  var path: String { scratch.path + "/run" }
  func checkpoint(_ step: Int) -> String { path + "/checkpoints/" + RunFolder.name(step: step) }

  init(on device: any OperationDevice, steps: Int = 8) throws {
    scratch = try TemporaryFolder()
    self.device = device
    options = TinyRun.options(steps: steps)
  }

  static func options(steps: Int) -> TrainingOptions {
    TrainingOptions(
      steps: steps, seed: 11, contextLength: 8, sequencesPerStep: 4, microBatch: 2,
      schedule: LearningRateSchedule(
        kind: .cosine, peak: 0.01, minimum: 0.001, totalSteps: steps, warmupSteps: 2, decaySteps: steps))
  }

  /// 600 tokens in which each depends on the one before, with documents.
  static func tokens() throws -> TokenSequence {
    let random = CounterRandom(seed: 21, stream: "training text")
    var ids: [Int32] = [1]
    for index in 1..<600 {
      let isEnd = random.uniform(UInt64(2 * index)) < 0.03
      let next = (Int(ids[index - 1]) * 5 + random.integer(UInt64(2 * index + 1), below: 3)) % 18 + 1
      ids.append(isEnd ? 0 : Int32(next))
    }
    return try TokenSequence(ids, vocabularySize: TinyModel.vocabularySize, endOfText: 0)
  }

  func data() throws -> Trainer.TrainingData {
    if let otherData { return try otherData(self) }
    let tokens = try Self.tokens()
    return Trainer.TrainingData(
      sampler: try BatchSampler(
        tokens.slice(0..<500), context: options.contextLength, sequencesPerStep: options.sequencesPerStep,
        seed: options.seed),
      validation: try EvaluationWindows(
        tokens.slice(500..<600), context: options.contextLength, rule: .everyToken),
      hash: dataHash,
      coding: Trainer.TextCoding(
        encode: { $0.utf8.map { Int32($0 % 19) } }, decode: { $0.map(String.init).joined(separator: " ") },
        stopTokens: [0]))
  }

  /// Trains as one process would, from a checkpoint or anew.
  @discardableResult
  func train(_ observer: RecordingObserver = RecordingObserver(), from checkpoint: String? = nil) throws
    -> TrainingOutcome
  {
    let model: any LanguageModel
    if let checkpoint {
      model = try ModelFolder(checkpoint).load(on: device, trains: true)
    } else if let adapted {
      model = try adapted.load(on: device, trains: true)
      if adapted.configuration.adapter?.initialization == .gradient {
        let batches = [try data().sampler.batch(step: 0, sequences: 0..<options.microBatch)]
        try GradientInitialization.run(model, from: adapted, batches: batches, loss: options.loss)
      }
    } else {
      var configuration = kind.configuration()
      configuration.precision = precision
      configuration.storage = storage
      adjust(&configuration)
      model = try TinyModel.make(configuration, on: device, trains: true, seed: options.seed)
    }
    let optimizer = Optimizer(
      AdamW(), for: model.parameters.trained, stateFormat: options.optimizerState, seed: options.seed)
    let state = try checkpoint.map { try TrainingCheckpoint.readState($0) }
    if let checkpoint { try TrainingCheckpoint.restore(optimizer, model, from: checkpoint, on: device) }
    var now = 1000.0
    let folder = try RunFolder(path)
    let events = writesEvents ? try EventFile(path: path + "/events.out.tfevents.1.test", wallTime: 1) : nil
    let trainer = try Trainer(
      options, model: model, optimizer: optimizer, data: data(), folder: folder,
      metrics: MetricsLog(folder: path, after: state?.step ?? 0, events: events),
      attachments: [TrainingCheckpoint.Attachment(name: "tokenizer.json", bytes: [123, 125])], state: state
    ) { [tick] in
      now += tick
      return now
    }
    return try trainer.run(observer)
  }

  func metrics() throws -> [JSON] {
    let text = try FixtureFolders.bytes(path + "/metrics.jsonl")
    return try text.split(separator: UInt8(ascii: "\n")).map { try JSON.parse(Array($0)) }
  }

  /// The names and bytes of a checkpoint's files.
  func files(_ step: Int) throws -> [String: [UInt8]] {
    let folder = checkpoint(step)
    return Dictionary(
      uniqueKeysWithValues: try Folder.names(in: folder).map {
        ($0, try FixtureFolders.bytes(folder + "/" + $0))
      })
  }
}

/// Remembers what it was told and asks for what it was given.
final class RecordingObserver: TrainingObserver {
  var steps: [StepMetrics] = []
  var evaluations: [Int: Double] = [:]
  var samples: [Int: String] = [:]
  var checkpoints: [(step: Int, isBest: Bool)] = []
  var chosen: Int?
  var requests: [Int: TrainingRequest]

  init(_ requests: [Int: TrainingRequest] = [:]) { self.requests = requests }

  func didStep(_ metrics: StepMetrics, totalSteps: Int) { steps.append(metrics) }
  func didEvaluate(_ result: Evaluator.Result, step: Int) { evaluations[step] = result.loss }
  func didSample(_ text: String, step: Int) { samples[step] = text }
  func didSaveCheckpoint(_ path: String, step: Int, isBest: Bool) { checkpoints.append((step, isBest)) }
  func didChoose(totalSteps: Int, secondsPerStep: Double) { chosen = totalSteps }
  func request() -> TrainingRequest { requests[steps.last?.step ?? 0] ?? .goOn }
}
