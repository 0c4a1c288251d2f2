import Kernels

/// What the layers keep of the tokens seen so far, for one sequence: what makes the next token cheap.
///
/// Attention keeps keys and values of every token, or of those that its window still reaches; linear mixers keep states of
/// a constant size.
public final class DecodingCache {
  /// Tokens seen; advanced by ``advance(by:)`` after all layers have taken them in.
  public private(set) var count = 0
  /// The most tokens whose keys and values have room in layers without a window.
  public let capacity: Int
  /// Some layer keeps every token, so that no more than ``capacity`` can be seen.
  public let isBounded: Bool

  /// Keys and values of attention layers, nil for others.
  private var layers: [KeptTokens?]
  private var states: [[Tensor]]

  /// - Parameter capacity: The most tokens that will be stored; memory is taken at once.
  public init(for configuration: ModelConfiguration, capacity: Int, on device: any OperationDevice) {
    self.capacity = capacity
    isBounded = configuration.keepsTokens
    states = [[Tensor]](repeating: [], count: configuration.layers)
    layers = configuration.cachedRows.map { rows in
      rows.map { KeptTokens($0, capacity: capacity, on: device) }
    }
  }

  /// Stores the keys and values of new tokens.
  ///
  /// - Returns: Those of all tokens that a query may still look at, and perhaps of some before; the new ones are the last.
  func append(key: Tensor, value: Tensor, layer: Int, _ tape: Tape) -> (key: Tensor, value: Tensor) {
    precondition(key.shape[0] == 1, "the cache holds one sequence, not \(key.shape[0])")
    guard var kept = layers[layer] else { preconditionFailure("layer \(layer) keeps no keys and values") }
    kept.append(key: key, value: value, tape)
    layers[layer] = kept
    return kept.tensors
  }

  /// The states that a layer kept with ``keep(_:layer:)``; empty at the start of a sequence.
  func states(layer: Int) -> [Tensor] { states[layer] }

  /// Keeps a layer's states behind the tokens that it has just seen, in an order of its own.
  func keep(_ new: [Tensor], layer: Int) { states[layer] = new }

  /// Forgets everything.
  public func clear() {
    count = 0
    for layer in states.indices {
      states[layer] = []
      layers[layer]?.count = 0
    }
  }

  /// A cache that goes on from here: later tokens of the two share the memory of keys and values, so that one of them
  /// is done before the other goes on.
  func branch() -> DecodingCache { DecodingCache(branching: self) }

  private init(branching other: DecodingCache) {
    (count, capacity, isBounded) = (other.count, other.capacity, other.isBounded)
    (layers, states) = (other.layers, other.states)
  }

  /// Bytes that are in use: keys and values of the tokens so far, and states.
  var byteCount: Int {
    let rows = layers.reduce(0) { $0 + ($1?.numbers ?? 0) }
    let numbers = states.joined().reduce(rows) { $0 + $1.shape.count }
    return numbers * MemoryLayout<Float>.size
  }

  /// Counts the tokens that every layer has taken in.
  public func advance(by tokens: Int) { count += tokens }
}
