import Configuration
import Engine
import Files
import Glibc
import Kernels
import Terminal

/// Carries a planned run out: folder, record, observers, trainer.
struct TrainingRun {
  private let run: PlannedRun
  private let call: Call
  private let until: Int?
  private let display: any RunDisplay
  private let measuresAtEnd: Bool

  /// - Parameters:
  ///   - until: The step after which this call ends.
  ///   - measuresAtEnd: Evaluates over the whole validation part, unless a person stops the run.
  init(
    _ run: PlannedRun, call: Call, until: Int? = nil, display: any RunDisplay, measuresAtEnd: Bool = false,
  ) {
    self.run = run
    self.call = call
    self.until = until
    self.display = display
    self.measuresAtEnd = measuresAtEnd
  }

  func train() throws -> RunEnding {
    guard let data = run.data else { preconditionFailure("a run is trained whose text was not read") }
    let firstStep = run.state?.step ?? 0
    let folder = try run.request.openFolder()
    try run.tokenizer?.save(to: folder.path)
    var record = try RunRecord(
      folder: folder.path, arguments: call.arguments, revision: run.plan.revision,
      device: run.device.description, values: run.request.values, dataHash: data.data.hash,
      firstStep: firstStep)
    try record.write()
    try writeConfiguration(folder.path)
    let observer = RunObserver(
      display, glyphs: call.output.glyphs, log: try AppendingFile(path: folder.path + "/log.txt"),
      settings: run.request.values.log, plan: run.plan, stopStep: until)
    for line in run.plan.lines(.ascii) { observer.append(line) }
    do {
      let ending = try carryOut(try trainer(folder, data, firstStep), observer, folder.path)
      display.end()
      observer.append(ending.outcome == .finished ? "finished" : "stopped")
      try record.end(ending.outcome == .finished ? "finished" : "stopped", step: observer.lastStep)
      if let failure = observer.logFailure { throw failure }
      return ending
    } catch {
      display.end()
      observer.append("failed: \(error)")
      // What stopped the run is told; that its record could not be closed would only hide it.
      try? record.end("failed", step: observer.lastStep)
      throw error
    }
  }

  private func carryOut(_ trainer: Trainer, _ observer: RunObserver, _ folder: String) throws -> RunEnding {
    observer.begin()
    var outcome = try trainer.run(observer)
    var evaluation: Evaluator.Result?
    // A run that its time limit stopped is at its end, too.
    if measuresAtEnd, Interruption.shared.stopReason == nil {
      evaluation = try trainer.evaluateAll { _ in Interruption.shared.stopReason == nil }
      // A part of an evaluation is none.
      if Interruption.shared.stopReason != nil { (outcome, evaluation) = (.stopped, nil) }
    }
    return RunEnding(
      folder: folder, values: run.request.values, outcome: outcome, step: observer.lastStep,
      metrics: observer.lastMetrics, isTimeOver: observer.isTimeOver, evaluation: evaluation)
  }

  private func trainer(
    _ folder: RunFolder, _ data: RunData, _ firstStep: Int,
  ) throws -> Trainer {
    let values = run.request.values
    let model =
      try run.checkpoint?.load(on: run.device, trains: true)
      ?? ModelInitialization.make(run.model, seed: run.options.seed, on: run.device, trains: true)
    if run.state == nil { try RunAdapters.start(run, model, data) }
    let optimizer = Optimizer(
      OptimizerRule.rule(values.optimizer), for: model.parameters.trained,
      stateFormat: run.options.optimizerState, seed: UInt64(values.seed))
    if let state = run.state, let checkpoint = run.request.checkpoint {
      try TrainingCheckpoint.restore(optimizer, model, from: checkpoint, on: run.device)
      guard optimizer.stepCount == state.step else {
        throw Failure(
          "the files of the checkpoint '\(checkpoint)' do not belong together",
          details: [
            "training_state.json: step \(state.step)", "optimizer.safetensors: step \(optimizer.stepCount)",
          ],
          hints: ["let checkpoints/latest point to an older checkpoint of the run"])
      }
    }
    // Steady, and counted from 1970: readers of event files expect dates.
    let offset = Call.wallTime() - Call.now()
    let clock = { Call.now() + offset }
    let events =
      values.log.tensorboard ? try EventFile(path: eventPath(folder.path), wallTime: Call.wallTime()) : nil
    let metrics = try MetricsLog(folder: folder.path, after: firstStep, events: events)
    return try Trainer(
      run.options, model: model, optimizer: optimizer, data: data.data, folder: folder, metrics: metrics,
      attachments: data.attachments, state: run.state, clock: clock)
  }

  private func eventPath(_ folder: String) -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    let host =
      gethostname(&bytes, bytes.count - 1) == 0
      ? String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "host"
    return folder + "/" + EventFile.fileName(startedAt: Int(Call.wallTime()), host: host)
  }

  /// Written anew when a resumed run changes keys; the file of a run that goes on unchanged stays as it is.
  private func writeConfiguration(_ folder: String) throws {
    let path = folder + "/config.yaml"
    guard run.request.origin == .new || !run.request.changes.isEmpty else { return }
    try AtomicFile.write(Array(run.request.resolved.yaml(derived: .written).utf8), to: path)
  }
}
