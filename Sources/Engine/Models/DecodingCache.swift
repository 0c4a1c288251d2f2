import Kernels

/// Keys and values of the tokens seen so far, for one sequence: what makes the next token cheap.
public final class DecodingCache {
  /// Tokens stored; advanced by ``advance(by:)`` after all layers have appended.
  public private(set) var count = 0
  public let capacity: Int

  private(set) var layers: [(key: Tensor, value: Tensor)] = []

  /// - Parameter capacity: The most tokens that will be stored; memory is taken at once.
  public init(for configuration: ModelConfiguration, capacity: Int, on device: any OperationDevice) {
    self.capacity = capacity
    let shape: Shape = [1, capacity, configuration.keyValueHeads, configuration.headDimension]
    layers = (0..<configuration.layers).map { _ in
      (
        Tensor(device.allocate(shape.count, of: .float32), shape: shape),
        Tensor(device.allocate(shape.count, of: .float32), shape: shape)
      )
    }
  }

  /// Stores the keys and values of new tokens and returns those of all tokens so far.
  func append(key: Tensor, value: Tensor, layer: Int, _ tape: Tape) -> (key: Tensor, value: Tensor) {
    let new = key.shape[1]
    precondition(key.shape[0] == 1, "the cache holds one sequence, not \(key.shape[0])")
    precondition(count + new <= capacity, "\(count + new) tokens in a cache for \(capacity)")
    let stored = layers[layer]
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

  /// Forgets everything.
  public func clear() { count = 0 }

  /// Counts the tokens that every layer has appended.
  public func advance(by tokens: Int) { count += tokens }
}
