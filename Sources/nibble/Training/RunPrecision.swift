import Configuration
import Engine
import NumberFormats

extension NumberStorage {
  /// What a configuration chooses.
  init(_ values: RunConfiguration) {
    self.init(
      activations: values.precision.activations == .bf16 ? .bf16 : .fp32,
      weights: values.precision.weights == .bf16 ? .bf16 : .fp32)
  }
}

extension LinearPrecision {
  /// What a configuration chooses; nil for single precision.
  ///
  /// - Parameter steps: Of the whole run; nil where only time limits it.
  init?(_ values: RunConfiguration, steps: Int?) throws {
    let precision = values.precision
    let formats = try precision.formats()
    guard !formats.isFull else { return nil }
    var fullFrom: Int?
    if precision.fullSteps > 0 {
      guard let steps else {
        throw UsageError(
          "precision.full_steps is a share of the steps, but this run is limited by time",
          hints: ["set steps"])
      }
      fullFrom = steps - Int((Double(steps) * precision.fullSteps).rounded())
    }
    let tokens = values.batch.micro * values.model.context
    if let size = formats.wgradInput.rounded?.hadamard, !tokens.isMultiple(of: size) {
      throw UsageError(
        "a micro-batch of \(tokens) tokens does not hold whole Hadamard transforms of \(size)",
        hints: ["batch.micro x model.context must be a multiple of it"])
    }
    self.init(
      formats, exclude: precision.exclude, fullFirst: precision.fullFirst, fullLast: precision.fullLast,
      fullFrom: fullFrom, seed: UInt64(values.seed))
  }
}
