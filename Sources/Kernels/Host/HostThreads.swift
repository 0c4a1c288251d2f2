import CHost
import Dispatch
import Synchronization

/// Splits loops over the host's processors.
public struct HostThreads: Sendable {
  public let count: Int

  public init(count: Int) { self.count = max(1, count) }

  /// `NIBBLE_THREADS`, or the number of processors that this process may use.
  public static var defaultCount: Int {
    if let text = EnvironmentVariable.threads.value, let count = Int(text), count > 0 { return count }
    return max(1, nibble_usable_processors())
  }

  /// Calls `body` with consecutive ranges that cover `0..<total`, several at a time.
  ///
  /// The ranges depend on `total` and `grain` alone, never on the number of threads, so that sums made per range
  /// come out the same on every machine.
  ///
  /// - Parameters:
  ///   - total: Number of items (rows, elements).
  ///   - grain: Items of one range; choose it so that a range takes at least some 20 microseconds.
  public func forRanges(_ total: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
    guard total > 0 else { return }
    let grain = max(1, grain)
    let ranges = (total + grain - 1) / grain
    if ranges == 1 || count == 1 {
      for index in 0..<ranges { body(index * grain..<min(total, (index + 1) * grain)) }
      return
    }
    // As many workers as threads were asked for; each takes the next range until none is left.
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: min(count, ranges)) { _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < ranges else { return }
        body(index * grain..<min(total, (index + 1) * grain))
      }
    }
  }
}
