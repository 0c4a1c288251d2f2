import Kernels

/// One update of a model: forward and backward of some micro-batches, clipping, the optimizer.
public final class TrainingStep {
  public let model: any LanguageModel
  public let optimizer: Optimizer
  private let loss: LossOptions
  private let clip: GradientClip
  private let recomputesLayers: Bool
  private let device: any OperationDevice
  /// Follows the codes of rounded weights; nil where nobody asks.
  var oscillations: OscillationTracker?
  private var annealing: ThresholdAnnealing?

  /// - Parameters:
  ///   - clip: Largest global gradient norm, 0 for none.
  ///   - recomputesLayers: Keeps only the inputs of layers for the backward, and runs each layer's forward twice.
  public init(
    model: any LanguageModel, optimizer: Optimizer, loss: LossOptions, clip: Double,
    recomputesLayers: Bool = false,
  ) {
    self.model = model
    self.optimizer = optimizer
    self.loss = loss
    self.clip = GradientClip(maximumNorm: clip)
    self.recomputesLayers = recomputesLayers
    device = model.parameters.device
  }

  /// What an update tells.
  public struct Result: Sendable {
    /// Mean cross-entropy of the step's tokens in nats: with label smoothing, without the z-loss, so that runs
    /// with and without it can be compared.
    public let loss: Double
    /// The norm of the whole gradient before clipping.
    public let gradientNorm: Double
    /// Whether loss and gradient are finite; if not, the update was not made.
    public let isFinite: Bool
    /// What rounding did to the operands of the first micro-batch, where it was asked for.
    public let rounding: [OperandStatistics]
  }

  /// Runs an update and waits for its loss.
  ///
  /// The loss is the sum over all scored tokens of the step divided by their number, whatever the split into
  /// micro-batches. When a value is not finite the parameters stay as they were.
  ///
  /// - Parameters:
  ///   - measuresRounding: Also measures what rounding does to operands, which waits for each of them.
  ///   - annealingRadius: Only weights within so many steps of a threshold move; nil for all parameters.
  public func run(
    _ batches: [Batch], learningRate: Double, peakLearningRate: Double, measuresRounding: Bool = false,
    annealingRadius: Double? = nil,
  ) throws -> Result {
    let scale = TrainingStep.scale(of: batches)
    // All tokens go to the device before the first launch: an upload waits for what is queued.
    let uploaded = batches.map { UploadedBatch($0, on: device) }
    let collector = RoundingCollector(on: device)
    let losses = uploaded.enumerated().map { index, batch in
      begin(microBatch: index)
      let collector = measuresRounding && index == 0 ? collector : nil
      return addGradients(of: batch, scale: scale, observer: nil, roundingObserver: collector?.add)
    }
    model.parameters.adapters?.endTraining()
    let tape = Tape(on: device, isRecording: false)
    guard let gradients = model.parameters.trained.gradients else {
      preconditionFailure("a training step needs gradients")
    }
    model.parameters.trained.completeGradients()
    annealing = annealingRadius.map { annealing ?? ThresholdAnnealing(model.parameters, radius: $0) }
    annealing?.begin(on: tape)
    let clipped = tape.scope("clip") {
      var clipped = clip(Tensor(gradients, shape: [gradients.count]), on: tape)
      for result in losses {
        clipped.isFinite = tape.apply(Self.finiteToo, [clipped.isFinite, result.loss])[0]
      }
      return clipped
    }
    tape.scope("optimizer") {
      optimizer.step(learningRate: learningRate, peakLearningRate: peakLearningRate, clip: clipped, on: tape)
    }
    annealing?.end(on: tape)
    let norm = try device.read(clipped.norm.memory, as: Float.self).first ?? .nan
    let isKept = try device.read(clipped.isFinite.memory, as: Float.self).first == 1
    if isKept {
      oscillations?.update(on: tape)
    } else {
      optimizer.restore(stepCount: optimizer.stepCount - 1)
    }
    try model.parameters.precision?.endStep(isKept: isKept)
    let loss = try crossEntropy(losses, batches, scale: scale)
    return Result(
      loss: loss, gradientNorm: Double(norm), isFinite: isKept && loss.isFinite,
      rounding: try collector.statistics())
  }

  /// Tells what draws random numbers which micro-batch comes.
  private func begin(microBatch: Int) {
    model.parameters.precision?.begin(step: optimizer.stepCount, microBatch: microBatch)
    model.parameters.adapters?.beginTraining(step: optimizer.stepCount, microBatch: microBatch)
  }

  /// Whether a step is kept: the gradient's norm and every loss are finite.
  private static let finiteToo = Pointwise(
    PointwiseProgram(inputs: 2) { [$0[0] * $0[1].abs().isLess(than: $0[1].constant(1e30))] })

  /// One over the scored tokens of all micro-batches.
  private static func scale(of batches: [Batch]) -> Double {
    1 / Double(max(1, batches.reduce(0) { $0 + $1.targetCount }))
  }

  /// The losses without their z-loss.
  private func crossEntropy(_ losses: [CrossEntropyResult], _ batches: [Batch], scale: Double) throws
    -> Double
  {
    var sum = 0.0
    for (result, batch) in zip(losses, batches) {
      sum += try device.read(result.loss.memory, as: Float.self).reduce(0) { $0 + Double($1) }
      guard loss.zLoss != 0 else { continue }
      for (logSumExp, label) in zip(try result.logSumExp.floats(on: device), batch.labels)
      where label != Batch.ignoredLabel {
        sum -= loss.zLoss * scale * Double(logSumExp) * Double(logSumExp)
      }
    }
    return sum
  }

  /// Forward and backward of one micro-batch; adds to the gradients in the store.
  ///
  /// - Parameter scale: One over the scored tokens of the whole step.
  private func addGradients(
    of batch: UploadedBatch, scale: Double, observer: ((String, String, [Tensor]) -> Void)?,
    roundingObserver: ((RoundedOperandView) -> Void)? = nil,
  ) -> CrossEntropyResult {
    let tape = Tape(on: device, isRecording: true)
    tape.observer = observer
    tape.roundingObserver = roundingObserver
    var context = ForwardContext(tape: tape, documents: batch.documents)
    context.recomputesLayers = recomputesLayers
    let states = model.hiddenStates(batch.ids, context)
    let result = tape.scope("head") {
      tape.linearCrossEntropy(
        hidden: states, weight: tape.parameter(model.head), labels: batch.labels,
        CrossEntropyOptions(
          labelSmoothing: loss.labelSmoothing, softcap: loss.softcap, zLoss: loss.zLoss, scale: scale))
    }
    tape.backward(from: result.loss)
    return result
  }

  /// Runs one micro-batch and tells of every operand that it rounds.
  func observeRounding(of batch: Batch, _ observer: @escaping (RoundedOperandView) -> Void) {
    begin(microBatch: 0)
    _ = addGradients(
      of: UploadedBatch(batch, on: device), scale: 1, observer: nil, roundingObserver: observer)
    model.parameters.adapters?.endTraining()
  }

  /// Repeats a step's forward and backward and names the first operation with a non-finite result, and in low precision
  /// the first operand whose rounding broke.
  ///
  /// - Returns: For example `matmul in layers.3.mlp (forward)`; nil when every value is finite this time.
  public func firstNonFinite(_ batches: [Batch]) throws -> String? {
    var found: String?
    let finder = BadOperandFinder(on: device)
    let scale = TrainingStep.scale(of: batches)
    for (index, batch) in batches.enumerated() where found == nil {
      begin(microBatch: index)
      let observer = { [device] (operation: String, scope: String, outputs: [Tensor]) in
        guard found == nil else { return }
        let isBad = outputs.contains { output in
          guard output.type.element == .float32 else { return false }
          let values = (try? device.read(output.memory, as: Float.self)) ?? []
          return values.contains { !$0.isFinite }
        }
        guard isBad else { return }
        let suffix = ".backward"
        found =
          scope.hasSuffix(suffix)
          ? "\(operation) in \(scope.dropLast(suffix.count)) (backward)"
          : "\(operation) in \(scope) (forward)"
      }
      _ = addGradients(
        of: UploadedBatch(batch, on: device), scale: scale, observer: observer, roundingObserver: finder.add)
    }
    model.parameters.adapters?.endTraining()
    model.parameters.trained.clearGradients()
    try device.finish()
    let parts = [found, finder.text.map { "in low precision: \($0)" }].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}

/// A micro-batch on its device.
struct UploadedBatch {
  let ids: Tensor
  let labels: Tensor
  let documents: Tensor?

  init(_ batch: Batch, on device: any OperationDevice) {
    let shape: Shape = [batch.sequences, batch.context]
    ids = Tensor(batch.inputs, shape: shape, on: device)
    labels = Tensor(batch.labels, shape: [shape.count], on: device)
    documents = batch.documents.map { Tensor($0, shape: shape, on: device) }
  }
}

/// Measures operands while they are there.
private final class RoundingCollector {
  private let device: any OperationDevice
  private var found: [OperandStatistics] = []
  private var failure: (any Error)?

  init(on device: any OperationDevice) { self.device = device }

  func add(_ view: RoundedOperandView) {
    do {
      found.append(try OperandStatistics(view, on: device))
    } catch {
      failure = failure ?? error
    }
  }

  func statistics() throws -> [OperandStatistics] {
    if let failure { throw failure }
    return found
  }
}
