import Configuration
import Engine

extension LowRankAdapter {
  /// What a configuration chooses; nil where all weights are trained.
  init?(_ values: RunConfiguration) {
    let adapter = values.adapter
    guard adapter.rank > 0 else { return nil }
    let initialization: Initialization =
      switch adapter.initialization {
      case .standard: .standard
      case .loraGA: .gradient
      }
    self.init(
      rank: adapter.rank, alpha: adapter.alpha, dropout: adapter.dropout, targets: adapter.targets,
      isRankStabilized: adapter.rslora, initialization: initialization,
      base: PackedFormat(rawValue: adapter.base.rawValue), seed: UInt64(values.seed))
  }
}

/// The adapters of a run that begins.
enum RunAdapters {
  /// Gives adapters their first values where these come from gradients over the run's first micro-batches.
  static func start(_ run: PlannedRun, _ model: any LanguageModel, _ data: RunData) throws {
    guard run.model.adapter?.initialization == .gradient, let checkpoint = run.checkpoint else { return }
    let options = run.options
    let micro = options.microBatch
    let perStep = max(1, options.sequencesPerStep / micro)
    let batches = (0..<run.request.values.adapter.gradientBatches).map { index in
      let first = index % perStep * micro
      return data.data.sampler.batch(step: index / perStep, sequences: first..<first + micro)
    }
    try GradientInitialization.run(model, from: checkpoint, batches: batches, loss: options.loss)
  }
}
