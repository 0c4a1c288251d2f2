/// Measures a model's plain cross-entropy over windows of tokens.
public struct Evaluator {
  public let model: any LanguageModel
  /// Windows that are run at once.
  public let batch: Int
  /// Soft cap of the logits, when the model was trained with one.
  public let softcap: Double

  public init(_ model: any LanguageModel, batch: Int, softcap: Double = 0) {
    self.model = model
    self.batch = batch
    self.softcap = softcap
  }

  /// A sum over scored tokens.
  public struct Result: Sendable, Equatable {
    /// Sum of negative log likelihoods, in nats.
    public var total = 0.0
    /// Sum of their squares, for the error bar.
    public var totalOfSquares = 0.0
    public var scoredTokens = 0

    public init() {}

    /// Mean negative log likelihood of a token, in nats.
    public var loss: Double { total / Double(max(1, scoredTokens)) }

    /// Standard error of ``loss``, tokens taken as independent.
    public var standardError: Double {
      let count = Double(max(1, scoredTokens))
      let variance = max(0, totalOfSquares / count - loss * loss)
      return (variance / count).squareRoot()
    }
  }

  /// Runs the windows in order.
  ///
  /// - Parameters:
  ///   - windows: What is scored; ``batch`` windows are run at once.
  ///   - onProgress: Told the share done after each batch; returning false stops early.
  public func run(
    _ windows: EvaluationWindows, onProgress: ((Result) -> Bool)? = nil,
  ) throws -> Result {
    var result = Result()
    for first in stride(from: 0, to: windows.count, by: batch) {
      let window = windows.batch(first..<min(windows.count, first + batch))
      let losses = try tokenLosses(window)
      for (loss, label) in zip(losses, window.labels) where label >= 0 {
        result.total += Double(loss)
        result.totalOfSquares += Double(loss) * Double(loss)
        result.scoredTokens += 1
      }
      if let onProgress, !onProgress(result) { break }
    }
    return result
  }

  private func tokenLosses(_ window: Batch) throws -> [Float] {
    let device = model.parameters.device
    let tape = Tape(on: device, isRecording: false)
    let shape: Shape = [window.sequences, window.context]
    let ids = Tensor(window.inputs, shape: shape, on: device)
    let documents = window.documents.map { Tensor($0, shape: shape, on: device) }
    let states = model.hiddenStates(ids, ForwardContext(tape: tape, documents: documents))
    let result = tape.linearCrossEntropy(
      hidden: states, weight: model.head.value,
      labels: Tensor(window.labels, shape: [shape.count], on: device),
      CrossEntropyOptions(softcap: softcap))
    return try result.tokenLosses.floats(on: device)
  }
}
