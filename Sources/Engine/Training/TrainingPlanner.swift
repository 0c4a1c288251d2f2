public import Kernels

/// What a run needs, known without training: the update is run on a device that tracks shapes only.
public struct TrainingEstimate: Sendable {
  /// Trained values.
  public var parameterCount: Int
  /// Values that stay as they are, below adapters.
  public var frozenCount: Int
  /// Of the frozen weights that are packed.
  public var packed: (byteCount: Int, count: Int)
  public var weightByteCount: Int
  public var gradientByteCount: Int
  public var optimizerByteCount: Int
  /// The largest need of activations and workspace at any moment of an update.
  public var activationByteCount: Int
  /// The largest tensor or arena.
  public var largestAllocation: Int
  /// FLOPs of one update, by definition of the operations.
  public var flopsPerStep: Double
  /// FLOPs per operation, falling.
  public var work: [(operation: String, calls: Int, cost: Cost)]

  public var totalByteCount: Int {
    weightByteCount + gradientByteCount + optimizerByteCount + activationByteCount
  }
}

public enum TrainingPlanner {
  /// Runs one update of the configuration on a planning device.
  ///
  /// - Parameter rule: The optimizer, whose state is counted.
  public static func estimate(
    _ configuration: ModelConfiguration, options: TrainingOptions, rule: any UpdateRule,
    device description: DeviceDescription,
  ) throws -> TrainingEstimate {
    let device = PlanningDevice(for: description)
    let model = try ModelInitialization.make(configuration, seed: options.seed, on: device, trains: true)
    let weights = device.memoryUse.live
    let trained = model.parameters.trained
    let gradients = trained.gradients.map { Memory.blockByteCount(for: $0.byteCount) } ?? 0
    let optimizer = Optimizer(rule, for: trained, stateFormat: options.optimizerState)
    guard options.optimizerState == .fp32 || !optimizer.dynamicState.isEmpty || rule.stateNames.isEmpty else {
      throw PrecisionError.onlySmallStates(ParameterStore.largeSize)
    }
    let fixed = device.memoryUse.live
    let step = TrainingStep(
      model: model, optimizer: optimizer, loss: options.loss, clip: options.clip,
      recomputesLayers: options.recomputesLayers)
    if options.oscillationInterval > 0 { step.oscillations = OscillationTracker(model.parameters) }
    // A planning device looks at shapes only, so the batch needs no tokens.
    let batch = Batch(sequences: options.microBatch, context: options.contextLength, hasDocuments: false)
    let batches = (0..<max(1, options.sequencesPerStep / options.microBatch)).map { _ in batch }
    _ = try step.run(
      batches, learningRate: 0, peakLearningRate: 0,
      annealingRadius: options.annealingSteps > 0 ? options.annealingRadius : nil)
    return TrainingEstimate(
      parameterCount: trained.count,
      frozenCount: trained === model.parameters ? 0 : model.parameters.count,
      packed: model.parameters.packedWeights,
      weightByteCount: weights - gradients, gradientByteCount: gradients,
      optimizerByteCount: fixed - weights, activationByteCount: device.memoryUse.peak - fixed,
      largestAllocation: device.largestAllocation,
      flopsPerStep: device.total.flops,
      work: device.work.map { ($0.key, $0.value.calls, $0.value.cost) }.sorted { $0.2.flops > $1.2.flops })
  }
}
