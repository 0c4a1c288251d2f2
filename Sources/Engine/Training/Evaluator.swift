/// Measures a model's plain cross-entropy over windows of tokens, and its accuracy where that is asked for.
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
    /// Scored positions where the label is the one token with the largest logit; nil where nobody counts them.
    public var correctTokens: Int?

    public init() {}

    /// Mean negative log likelihood of a token, in nats.
    public var loss: Double { total / Double(max(1, scoredTokens)) }

    /// Share of the scored positions whose likeliest token is the label.
    public var accuracy: Double? { correctTokens.map { Double($0) / Double(max(1, scoredTokens)) } }

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
  ///   - windows: What is scored; ``batch`` windows are run at once. Where products are rounded, scales and random bits are
  ///     those of a batch, so that results depend on its size in their last digits.
  ///   - onProgress: Told the share done after each batch; returning false stops early.
  public func run(
    _ windows: any EvaluationBatches, onProgress: ((Result) -> Bool)? = nil,
  ) throws -> Result {
    var result = Result()
    let precision = model.parameters.precision
    defer { precision?.evaluate(window: nil) }
    for first in stride(from: 0, to: windows.count, by: batch) {
      let window = windows.batch(of: first..<min(windows.count, first + batch))
      precision?.evaluate(window: first)
      let (losses, correct) = try score(window, countsCorrect: windows.measuresAccuracy)
      if let correct { result.correctTokens = (result.correctTokens ?? 0) + correct }
      for (loss, label) in zip(losses, window.labels) where label >= 0 {
        result.total += Double(loss)
        result.totalOfSquares += Double(loss) * Double(loss)
        result.scoredTokens += 1
      }
      if let onProgress, !onProgress(result) { break }
    }
    return result
  }

  /// The loss of every position, and the number of correct ones where they are counted.
  private func score(_ window: Batch, countsCorrect: Bool) throws -> (losses: [Float], correct: Int?) {
    let device = model.parameters.device
    let tape = Tape(on: device, isRecording: false)
    let shape: Shape = [window.sequences, window.context]
    let ids = Tensor(window.inputs, shape: shape, on: device)
    let documents = window.documents.map { Tensor($0, shape: shape, on: device) }
    let states = model.hiddenStates(ids, ForwardContext(tape: tape, documents: documents))
    let result = tape.linearCrossEntropy(
      hidden: states, weight: tape.parameter(model.head),
      labels: Tensor(window.labels, shape: [shape.count], on: device),
      CrossEntropyOptions(softcap: softcap))
    let losses = try result.tokenLosses.floats(on: device)
    guard countsCorrect else { return (losses, nil) }
    let rows = states.reshaped(to: [shape.count, model.configuration.modelDimension])
    return (losses, try correctCount(rows, window.labels, tape))
  }

  /// Logits that are compared at once.
  private static let comparedLogits = 1 << 22

  /// Scored rows whose label has a larger logit than every other token; a tie or a NaN is a mistake.
  ///
  /// A soft cap rises with its argument and so changes no order.
  ///
  /// - Parameter states: The normalized states of all positions [positions, modelDimension].
  private func correctCount(_ states: Tensor, _ labels: [Int32], _ tape: Tape) throws -> Int {
    let device = model.parameters.device
    let vocabulary = model.configuration.vocabularySize
    let scored = labels.indices.filter { labels[$0] >= 0 }
    let chunk = max(1, Self.comparedLogits / vocabulary)
    var correct = 0
    for first in stride(from: 0, to: scored.count, by: chunk) {
      let positions = scored[first..<min(scored.count, first + chunk)]
      let rows = Tensor(positions.map { Int32($0) }, shape: [positions.count], on: device)
      let logits = try tape.linear(tape.embedding(rows, weight: states), weight: tape.parameter(model.head))
        .floats(on: device)
      for (row, position) in positions.enumerated() {
        let candidates = logits[row * vocabulary..<(row + 1) * vocabulary]
        let answer = logits[row * vocabulary + Int(labels[position])]
        if candidates.allSatisfy({ $0 <= answer }), candidates.count(where: { $0 == answer }) == 1 {
          correct += 1
        }
      }
    }
    return correct
  }
}
