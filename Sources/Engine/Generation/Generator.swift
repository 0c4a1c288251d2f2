import Kernels

/// How the next token is chosen.
public struct SamplingOptions: Sendable, Hashable {
  /// Divides the logits; 0 takes the most likely token.
  public var temperature: Double
  /// Keeps the k most likely tokens, 0 keeps all.
  public var topK: Int
  /// Keeps the most likely tokens until their probabilities reach p, 1 keeps all.
  public var topP: Double
  public var seed: UInt64

  public init(temperature: Double = 1, topK: Int = 0, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }
}

/// Continues a sequence token by token, with cached keys and values.
///
/// When the cache is full, the older half of the text is forgotten and the rest is read again: a text can be longer than
/// the model's context.
public final class Generator {
  private let model: any LanguageModel
  private let device: any OperationDevice
  private let cache: DecodingCache
  private let options: SamplingOptions
  private var logits: [Float] = []
  private let softcap: Double
  /// The tokens that the cache holds; none where it is not bounded.
  private var window: [Int32] = []

  /// - Parameter capacity: The most tokens that are seen at once, at least 2; more than the model's context makes no
  ///   sense.
  public init(
    _ model: any LanguageModel, options: SamplingOptions, capacity: Int, softcap: Double = 0,
  ) {
    self.model = model
    self.options = options
    self.softcap = softcap
    device = model.parameters.device
    cache = DecodingCache(for: model.configuration, capacity: capacity, on: device)
  }

  /// Tokens read so far.
  public private(set) var count = 0
  /// Tokens that were forgotten to make room.
  public private(set) var forgotten = 0
  public var capacity: Int { cache.capacity }

  /// Reads tokens: the prompt, or the token chosen last.
  ///
  /// - Throws: ``GenerationError/nonFiniteLogit(value:token:position:)``, and errors of the device.
  /// - Precondition: `ids` is not empty, and at most ``capacity`` where the cache is bounded; every id is below the
  ///   vocabulary size.
  public func read(_ ids: [Int32]) throws {
    precondition(!ids.isEmpty, "no tokens")
    count += ids.count
    // States of a constant size forget nothing by force and take a long prompt in pieces.
    guard cache.isBounded else {
      for start in stride(from: 0, to: ids.count, by: Self.piece) {
        try extend(by: Array(ids[start..<min(start + Self.piece, ids.count)]))
      }
      return
    }
    precondition(ids.count <= capacity, "\(ids.count) tokens for a capacity of \(capacity)")
    guard cache.count + ids.count > capacity else {
      window += ids
      return try extend(by: ids)
    }
    let kept = (window + ids).suffix(max(ids.count, capacity / 2))
    forgotten += window.count + ids.count - kept.count
    window = Array(kept)
    cache.clear()
    try extend(by: window)
  }

  /// Tokens that are read at once where nothing bounds them.
  private static let piece = 4096

  private func extend(by ids: [Int32]) throws {
    let tape = Tape(on: device, isRecording: false)
    let tensor = Tensor(ids, shape: [1, ids.count], on: device)
    let states = model.hiddenStates(tensor, ForwardContext(tape: tape, cache: cache))
    cache.advance(by: ids.count)
    let width = model.configuration.modelDimension
    let last = tape.lastRow(of: states.reshaped(to: [ids.count, width]))
    var result = tape.linear(last, weight: tape.parameter(model.head))
    if softcap > 0 { result = tape.softcap(result, softcap) }
    logits = try result.floats(on: device)
    if let token = logits.firstIndex(where: { !$0.isFinite }) {
      // A NaN can carry a sign, which says nothing.
      let value = logits[token].isNaN ? Float.nan : logits[token]
      throw GenerationError.nonFiniteLogit(value: value, token: token, position: count)
    }
  }

  /// Chooses the token after what was read so far; the choice depends on the seed and the position alone.
  public func next() -> Int32 {
    Sampler(options).choose(logits, position: UInt64(count))
  }
}

/// Draws from logits.
public struct Sampler: Sendable {
  private let options: SamplingOptions

  public init(_ options: SamplingOptions) { self.options = options }

  /// - Parameter position: Counter of the random number.
  public func choose(_ logits: [Float], position: UInt64) -> Int32 {
    guard options.temperature > 0 else { return greedy(logits) }
    // Ties go to the lower id, so that the order is the same everywhere.
    var order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    if options.topK > 0 { order = Array(order.prefix(options.topK)) }
    guard let best = order.first else { return 0 }
    var weights = order.map { exponential((Double(logits[$0]) - Double(logits[best])) / options.temperature) }
    if options.topP < 1 { weights = Array(weights.prefix(nucleus(weights))) }
    let total = weights.reduce(0, +)
    var remaining = CounterRandom(seed: options.seed, stream: "sampling").uniform(position) * total
    for (index, weight) in zip(order, weights) {
      remaining -= weight
      if remaining < 0 { return Int32(index) }
    }
    return Int32(order[weights.count - 1])
  }

  private func greedy(_ logits: [Float]) -> Int32 {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return Int32(best)
  }

  private func exponential(_ x: Double) -> Double { Double.exp(x) }

  /// How many of the falling weights reach the share `topP`; at least one.
  private func nucleus(_ weights: [Double]) -> Int {
    let limit = weights.reduce(0, +) * options.topP
    var sum = 0.0
    for (index, weight) in weights.enumerated() {
      sum += weight
      if sum >= limit { return index + 1 }
    }
    return weights.count
  }
}
