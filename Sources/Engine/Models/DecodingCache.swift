import Kernels

/// What the layers keep of the tokens seen so far, for one sequence: what makes the next token cheap.
///
/// Attention keeps keys and values of every token; linear mixers keep states of a constant size.
public final class DecodingCache {
  /// Tokens seen; advanced by ``advance(by:)`` after all layers have taken them in.
  public private(set) var count = 0
  /// The most tokens whose keys and values have room.
  public let capacity: Int
  /// Some layer keeps every token, so that no more than ``capacity`` can be seen.
  public let isBounded: Bool

  /// Keys and values of attention layers, nil for others.
  private(set) var layers: [(key: Tensor, value: Tensor)?] = []
  private var states: [[Tensor]]

  /// - Parameter capacity: The most tokens that will be stored; memory is taken at once.
  public init(for configuration: ModelConfiguration, capacity: Int, on device: any OperationDevice) {
    self.capacity = capacity
    let rows = configuration.cachedRows
    isBounded = rows.contains { $0 != nil }
    states = [[Tensor]](repeating: [], count: configuration.layers)
    func room(_ heads: Int, _ width: Int) -> Tensor {
      let shape: Shape = [1, capacity, heads, width]
      return Tensor(device.allocate(shape.count, of: .float32), shape: shape)
    }
    layers = rows.map { rows in
      rows.map { (room($0.keyHeads, $0.keyWidth), room($0.valueHeads, $0.valueWidth)) }
    }
  }

  /// Stores the keys and values of new tokens and returns those of all tokens so far.
  func append(key: Tensor, value: Tensor, layer: Int, _ tape: Tape) -> (key: Tensor, value: Tensor) {
    let new = key.shape[1]
    precondition(key.shape[0] == 1, "the cache holds one sequence, not \(key.shape[0])")
    precondition(count + new <= capacity, "\(count + new) tokens in a cache for \(capacity)")
    guard let stored = layers[layer] else { preconditionFailure("layer \(layer) keeps no keys and values") }
    return (store(key, in: stored.key, tape), store(value, in: stored.value, tape))
  }

  private func store(_ new: Tensor, in cache: Tensor, _ tape: Tape) -> Tensor {
    let width = new.shape[2] * new.shape[3]
    let time = new.shape[1]
    tape.appendRows(
      new.reshaped(to: [time, width]), to: cache.reshaped(to: [capacity, width]), at: count)
    let rows = cache.reshaped(to: [capacity, width]).leadingRows(count + time)
    return rows.reshaped(to: [1, count + time, new.shape[2], new.shape[3]])
  }

  /// The states that a layer kept with ``keep(_:layer:)``; empty at the start of a sequence.
  func states(layer: Int) -> [Tensor] { states[layer] }

  /// Keeps a layer's states behind the tokens that it has just seen, in an order of its own.
  func keep(_ new: [Tensor], layer: Int) { states[layer] = new }

  /// Forgets everything.
  public func clear() {
    count = 0
    for layer in states.indices { states[layer] = [] }
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
    let rows = layers.compactMap { $0 }.reduce(0) { $0 + 2 * count * $1.key.shape.count / capacity }
    let numbers = states.joined().reduce(rows) { $0 + $1.shape.count }
    return numbers * MemoryLayout<Float>.size
  }

  /// Counts the tokens that every layer has taken in.
  public func advance(by tokens: Int) { count += tokens }
}
