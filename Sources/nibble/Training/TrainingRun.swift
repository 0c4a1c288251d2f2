import Configuration
import Engine
import Files
import Glibc
import Kernels
import Terminal

/// Carries a planned run out: folder, record, observers, trainer, and what to do next.
struct TrainingRun {
  private let run: PlannedRun
  private let call: Call
  private let until: Int?

  init(_ run: PlannedRun, call: Call, until: Int?) {
    self.run = run
    self.call = call
    self.until = until
  }

  func train() throws -> Terminal.ExitCode {
    guard let data = run.data else { return .internalError }
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
      call.output, log: try AppendingFile(path: folder.path + "/log.txt"), settings: run.request.values.log,
      plan: run.plan, stopStep: until)
    for line in run.plan.lines(.ascii) { observer.append(line) }
    do {
      let trainer = try trainer(folder, data, firstStep)
      observer.begin()
      let outcome = try trainer.run(observer)
      call.output.progress.finish()
      let code = finish(outcome, observer, folder.path)
      try record.end(code == .done && outcome == .finished ? "finished" : "stopped", step: observer.lastStep)
      if let failure = observer.logFailure { throw failure }
      return code
    } catch {
      call.output.progress.finish()
      observer.append("failed: \(error)")
      // What stopped the run is told; that its record could not be closed would only hide it.
      try? record.end("failed", step: observer.lastStep)
      throw error
    }
  }

  private func trainer(
    _ folder: RunFolder, _ data: RunData, _ firstStep: Int,
  ) throws -> Trainer {
    let values = run.request.values
    let model =
      try run.checkpoint?.load(on: run.device, trains: true)
      ?? ModelInitialization.make(run.model, seed: run.options.seed, on: run.device, trains: true)
    let optimizer = Optimizer(OptimizerRule.rule(values.optimizer), for: model.parameters)
    if let state = run.state, let checkpoint = run.request.checkpoint {
      try TrainingCheckpoint.restore(optimizer, from: checkpoint, on: run.device)
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

  private func finish(_ outcome: TrainingOutcome, _ observer: RunObserver, _ folder: String)
    -> Terminal.ExitCode
  {
    let output = call.output
    let step = Numbers.grouped(observer.lastStep)
    var code = Terminal.ExitCode.done
    switch outcome {
    case .finished:
      output.result("\(folder): \(step) steps done\(measured(observer.lastMetrics))")
      for line in next(folder) { output.narrate(line) }
    case .stopped:
      code = Interruption.shared.stopReason?.exitCode ?? .done
      let isTimeOver = Interruption.shared.stopReason == nil && observer.isTimeOver
      output.result("\(folder): stopped \(isTimeOver ? "at the time limit " : "")after step \(step), saved")
      output.narrate("resume: nibble train \(folder)")
    }
    observer.append(outcome == .finished ? "finished" : "stopped")
    output.json([
      "schema": 1, "kind": "end", "outcome": outcome == .finished ? "finished" : "stopped",
      "run": .string(folder),
      "step": .integer(observer.lastStep), "loss": JSONText(observer.lastMetrics?.loss),
      "validation_loss": JSONText(observer.lastMetrics?.validationLoss),
      "validation_accuracy": JSONText(observer.lastMetrics?.validationAccuracy),
      "tokens": .integer(observer.lastMetrics?.tokens ?? 0),
      "time_s": .number(observer.lastMetrics?.seconds ?? 0),
      "memory_bytes": .integer(observer.lastMetrics?.memoryByteCount ?? 0),
    ])
    return code
  }

  /// What the last evaluation found, behind a comma.
  private func measured(_ metrics: StepMetrics?) -> String {
    let accuracy = metrics?.validationAccuracy.map {
      ", validation accuracy \(Numbers.fixed($0, decimals: 4))"
    }
    let loss = metrics?.validationLoss.map { ", validation loss \(Numbers.fixed($0, decimals: 4))" }
    return (accuracy ?? "") + (loss ?? "")
  }

  /// What a finished run is good for.
  private func next(_ folder: String) -> [String] {
    let data = run.request.values.data
    guard data.task == .text else { return ["next: nibble eval \(folder)"] }
    return [
      "next: nibble generate \(folder) \"\(data.path == "embedded" ? "Once" : "The")\"",
      "      nibble eval \(folder) --split validation",
    ]
  }
}
