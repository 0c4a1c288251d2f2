import Kernels

extension KernelBenchmark {
  /// Tokens one after the other behind prefixes of several lengths, up to the logits on the host: whether decoding keeps
  /// its speed and its memory.
  ///
  /// The first position is the row, the others are its rivals, measured in alternation. Each result is compared with the
  /// same tokens read at once.
  ///
  /// - Parameters:
  ///   - name: The model's name in the result.
  ///   - mixer: The mixer's name in the result.
  ///   - positions: Tokens in front, not empty.
  ///   - tokens: Tokens of one execution.
  public static func decode(
    _ configuration: ModelConfiguration, named name: String, mixer: String, behind positions: [Int],
    tokens: Int = 100,
  ) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("model", name), .init("mixer", mixer), .init("position", "\(positions[0])"),
      .init("tokens", "\(tokens)"),
    ]
    let longest = (positions.max() ?? 0) + tokens
    // What windows and states keep is small.
    let rows = configuration.cachedRows.compactMap { $0 }.filter { $0.window == nil }
    let kept = rows.flatMap { [$0.keyHeads * $0.keyWidth, $0.valueHeads * $0.valueWidth] }
    return KernelBenchmark(
      "decode_tokens", parameters,
      tensors: positions.flatMap { _ in kept.map { [longest, $0] } }
    ) { device in
      let model = try DecodedModel(configuration, on: device)
      let places = try positions.map { try DecodedPosition(model, behind: $0, tokens: tokens) }
      var prepared = PreparedBenchmark(
        cost: nil, tokens: tokens, keptBytes: places[0].keptBytes, run: { _ = try places[0].decode() },
        verify: places[0].verify)
      prepared.rivals = places.dropFirst().map { place in
        .init(
          name: "at \(place.position)", run: { _ = try place.decode() }, finish: { try device.finish() },
          verify: place.verify, keptBytes: place.keptBytes)
      }
      return prepared
    }
  }
}

/// A model of random weights that reads a random text.
private final class DecodedModel {
  let model: any LanguageModel
  let device: any OperationDevice
  private let random = CounterRandom(seed: 3, stream: "decoded tokens")

  init(_ configuration: ModelConfiguration, on device: any OperationDevice) throws {
    model = try ModelInitialization.make(configuration, seed: 1, on: device, trains: false)
    self.device = device
  }

  func id(_ position: Int) -> Int32 {
    Int32(random.integer(UInt64(position), below: model.configuration.vocabularySize))
  }

  /// Reads the tokens at some positions at once.
  ///
  /// - Returns: The logits behind the last one.
  @discardableResult
  func read(_ positions: Range<Int>, _ cache: DecodingCache) throws -> [Float] {
    let tape = Tape(on: device, isRecording: false)
    let ids = Tensor(positions.map(id), shape: [1, positions.count], on: device)
    let states = model.hiddenStates(ids, ForwardContext(tape: tape, cache: cache))
    cache.advance(by: positions.count)
    let last = tape.lastRow(
      of: states.reshaped(to: [positions.count, model.configuration.modelDimension]))
    return try tape.linear(last, weight: tape.parameter(model.head)).floats(on: device)
  }
}

/// What was read in front of some tokens.
private final class DecodedPosition {
  let position: Int
  let keptBytes: Int
  private let model: DecodedModel
  private let tokens: Range<Int>
  private let start: DecodingCache

  /// Tokens of a piece of the prefix: activations of a long one would have no room.
  private static let pieceLength = 1024

  init(_ model: DecodedModel, behind position: Int, tokens: Int) throws {
    self.model = model
    self.position = position
    self.tokens = position..<position + tokens
    start = DecodingCache(
      for: model.model.configuration, capacity: position + tokens, on: model.device)
    for first in stride(from: 0, to: position, by: Self.pieceLength) {
      try model.read(first..<min(position, first + Self.pieceLength), start)
    }
    let end = start.branch()
    for token in self.tokens { try model.read(token..<token + 1, end) }
    keptBytes = end.byteCount
  }

  /// The tokens one after the other.
  ///
  /// - Returns: The logits behind the last one.
  func decode() throws -> [Float] {
    let cache = start.branch()
    var logits: [Float] = []
    for token in tokens { logits = try model.read(token..<token + 1, cache) }
    return logits
  }

  /// Against the same tokens at once, whose kernels are others.
  func verify() throws -> BenchmarkRow.Verification {
    let (step, whole) = (try decode(), try model.read(tokens, start.branch()))
    let error = relativeError(step.map(Double.init), whole.map(Double.init))
    guard error.isFinite, error <= Self.tolerance else {
      return .failed(
        reason: "token by token behind \(position) tokens: \(error) from what reading at once gives")
    }
    return .passed(worst: error / Self.tolerance)
  }

  /// A model adds up what single operations lose in thousands of tokens.
  private static let tolerance = 1e-3
}
