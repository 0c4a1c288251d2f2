import Kernels

/// Keys and values of one attention layer in a ``DecodingCache``.
///
/// With a window only the last tokens are kept: rows are appended until there is no room, then those that the window still
/// reaches move to new memory, so that a branch of the cache goes on reading the old one.
struct KeptTokens {
  private let rows: CachedRows
  private var key: Tensor
  private var value: Tensor
  /// Tokens in memory.
  var count = 0

  /// - Parameter capacity: The most tokens that are seen; of no meaning behind a window.
  init(_ rows: CachedRows, capacity: Int, on device: any OperationDevice) {
    self.rows = rows
    let room = min(capacity, rows.window.map(Self.room(behind:)) ?? capacity)
    (key, value) = Self.memory(rows, room: room, on: device)
  }

  /// [1, count, heads, width].
  var tensors: (key: Tensor, value: Tensor) {
    (
      key.leadingRows(count).reshaped(to: [1, count, rows.keyHeads, rows.keyWidth]),
      value.leadingRows(count).reshaped(to: [1, count, rows.valueHeads, rows.valueWidth])
    )
  }

  /// Numbers that are in use.
  var numbers: Int { count * (rows.keyHeads * rows.keyWidth + rows.valueHeads * rows.valueWidth) }

  /// - Precondition: Without a window there is room.
  mutating func append(key newKey: Tensor, value newValue: Tensor, _ tape: Tape) {
    let time = newKey.shape[1]
    if count + time > key.shape[0] { makeRoom(for: time, tape) }
    tape.appendRows(newKey.reshaped(to: [time, key.shape[1]]), to: key, at: count)
    tape.appendRows(newValue.reshaped(to: [time, value.shape[1]]), to: value, at: count)
    count += time
  }

  private mutating func makeRoom(for time: Int, _ tape: Tape) {
    guard let window = rows.window else {
      preconditionFailure("\(count + time) tokens in a cache for \(key.shape[0])")
    }
    // The first new token sees itself and those before it.
    let kept = min(count, window - 1)
    let new = Self.memory(rows, room: max(kept + time, Self.room(behind: window)), on: tape.device)
    for (old, new) in [(key, new.key), (value, new.value)] where kept > 0 {
      tape.apply(
        CopyRows(rows: kept, from: count - kept, to: 0, capacity: new.shape[0]), [old], into: [0: new])
    }
    (key, value) = new
    count = kept
  }

  /// Rows for a window: the more, the more seldom they are copied.
  private static func room(behind window: Int) -> Int { window + max(window, 128) }

  private static func memory(
    _ rows: CachedRows, room: Int, on device: any OperationDevice,
  ) -> (key: Tensor, value: Tensor) {
    func matrix(_ width: Int) -> Tensor {
      Tensor(device.allocate(room * width, of: .float32), shape: [room, width])
    }
    return (matrix(rows.keyHeads * rows.keyWidth), matrix(rows.valueHeads * rows.valueWidth))
  }
}
