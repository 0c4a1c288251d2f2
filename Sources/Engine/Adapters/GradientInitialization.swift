import Kernels

/// Adapters that begin along the loss's gradient, so that the first steps move the model as full training would.
///
/// A is the first `rank` right singular vectors of a layer's gradient, B the next `rank` left ones, both times
/// `out^(1/4) / sqrt(gamma)`; `scale B A` is taken from the weight, so that the model's function is the same.
///
/// - SeeAlso: Wang, Yu and Li, "LoRA-GA: Low-Rank Adaptation with Gradient Approximation", 2024.
public enum GradientInitialization {
  /// Of the scale "stable".
  static let gamma = 16.0

  /// Factors for a gradient [out, in].
  ///
  /// - Precondition: `2 rank` is at most the shorter side.
  /// - Returns: A [rank, in] and B [out, rank], row-major.
  static func factors(
    of gradient: [Float], out: Int, input: Int, rank: Int, gamma: Double = gamma,
  ) -> (a: [Float], b: [Float]) {
    let vectors = SingularVectors(
      of: gradient.map(Double.init), rows: out, columns: input, count: 2 * rank)
    let size = Double(out).squareRoot().squareRoot() / gamma.squareRoot()
    let a = vectors.right[..<rank].flatMap { $0.map { Float(size * $0) } }
    let b = (0..<out * rank).map { Float(size * vectors.left[rank + $0 % rank][$0 / rank]) }
    return (a, b)
  }

  /// Starts a model's adapters from the gradient over some micro-batches, and changes the weights below them.
  ///
  /// Loads the model a second time, with gradients, and releases that again.
  ///
  /// - Parameters:
  ///   - model: With new adapters.
  ///   - folder: Where its weights come from.
  /// - Throws: ``AdapterError/noGradient`` for a layer that the loss does not depend on.
  public static func run(
    _ model: any LanguageModel, from folder: ModelFolder, batches: [Batch], loss: LossOptions,
  ) throws {
    guard let adapters = model.parameters.adapters else { preconditionFailure("the model has no adapters") }
    let device = model.parameters.device
    var plain = folder
    plain.configuration.adapter = nil
    let trained = try plain.load(on: device, trains: true)
    addGradients(of: batches, to: trained, loss)
    let tape = Tape(on: device, isRecording: false)
    for name in adapters.weights {
      guard let weight = model.parameters[name], let adapter = weight.adapter,
        let memory = trained.parameters[name]?.gradient
      else { continue }
      let gradient = try device.read(memory, as: Float.self)
      guard gradient.contains(where: { $0 != 0 }) else { throw AdapterError.noGradient(name: name) }
      let (out, input) = weight.linearExtents
      let isTransposed = weight.linearLayout == .inOut
      let factors = factors(
        of: isTransposed ? transposed(gradient, rows: input, columns: out) : gradient, out: out,
        input: input, rank: adapters.settings.rank)
      device.write(factors.a, to: adapter.a.memory)
      device.write(factors.b, to: adapter.b.memory)
      weight.take(AdapterStart(a: factors.a, b: factors.b), scale: adapter.scale, on: tape)
      adapters.starts[name] = AdapterStart(a: factors.a, b: factors.b)
    }
    try device.finish()
  }

  private static func addGradients(of batches: [Batch], to model: any LanguageModel, _ loss: LossOptions) {
    let device = model.parameters.device
    let scale = 1 / Double(max(1, batches.reduce(0) { $0 + $1.targetCount }))
    for batch in batches.map({ UploadedBatch($0, on: device) }) {
      let tape = Tape(on: device, isRecording: true)
      let states = model.hiddenStates(batch.ids, ForwardContext(tape: tape, documents: batch.documents))
      let options = CrossEntropyOptions(
        labelSmoothing: loss.labelSmoothing, softcap: loss.softcap, zLoss: loss.zLoss, scale: scale)
      let result = tape.linearCrossEntropy(
        hidden: states, weight: tape.parameter(model.head), labels: batch.labels, options)
      tape.backward(from: result.loss)
    }
    model.parameters.completeGradients()
  }

  private static func transposed(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
    (0..<rows * columns).map { matrix[$0 % rows * columns + $0 / rows] }
  }
}

extension Parameter {
  /// `w -= scale b a` for what an adapter begins with.
  ///
  /// A resumed run does this again, from the same numbers, and gets the same bits.
  func take(_ start: AdapterStart, scale: Double, on tape: Tape) {
    let (out, input) = linearExtents
    let rank = start.a.count / max(1, input)
    add(
      -scale, b: Tensor(start.b, shape: [out, rank], on: tape.device),
      a: Tensor(start.a, shape: [rank, input], on: tape.device), on: tape)
  }
}
