import Glibc
import Kernels

/// Times executions until the spread is small or a budget ends.
///
/// A sample is a batch of executions that are enqueued together and waited for once, long enough that neither the
/// timer nor the wait matters. Several contestants take turns, so that drift of the clock or the load hits all.
public struct Measurement: Sendable, Hashable {
  /// Seconds for all samples of one problem, warm-up left out.
  public var budget: Double
  /// The interquartile range as a share of the median at which measuring ends.
  public var spread = 0.02
  /// Samples before the spread is trusted.
  public var enoughSamples = 7
  /// Samples that are made even when the budget has ended: below this, quartiles mean little, and no test can tell two
  /// runs apart.
  public var leastSamples = 5
  /// The least duration of a sample in seconds.
  public var sampleSeconds = 0.01
  /// Pause in front of a sample when there are several contestants: the threads of OpenBLAS spin for some 20 ms after a
  /// product and would take processors from the next one.
  public var pause = 0.04

  public init(budget: Double = 2) { self.budget = budget }

  /// Somebody who is timed.
  struct Contestant {
    /// Enqueues one execution.
    let run: () throws -> Void
    /// Waits until all that was enqueued is done.
    let finish: () throws -> Void

    /// Seconds of one execution in a batch.
    func time(batch: Int) throws -> Double {
      let start = SteadyClock.now()
      for _ in 0..<batch { try run() }
      try finish()
      return (SteadyClock.now() - start) / Double(batch)
    }
  }

  /// The samples of a contestant.
  struct Series: Sendable, Hashable {
    /// Executions whose mean is a sample.
    let executionsPerSample: Int
    /// Seconds of one execution, in order.
    let samples: [Double]
  }

  /// Samples of every contestant in order, in seconds of one execution.
  func samples(
    of contestants: [Contestant], shouldStop: () -> Bool = { false },
  ) throws -> [[Double]] {
    try series(of: contestants, shouldStop: shouldStop).map(\.samples)
  }

  /// Measures all contestants in turns.
  ///
  /// - Parameter shouldStop: Asked between samples; what was measured so far is returned.
  func series(
    of contestants: [Contestant], shouldStop: () -> Bool = { false },
  ) throws -> [Series] {
    guard !contestants.isEmpty else { return [] }
    let batches = try contestants.map { try batch(of: $0) }
    var samples = [[Double]](repeating: [], count: contestants.count)
    let start = SteadyClock.now()
    while !shouldStop() {
      for (index, contestant) in contestants.enumerated() {
        if contestants.count > 1 {
          usleep(UInt32(pause * 1e6))
          // The others have emptied the caches, and their threads have crowded ours on one processor: it takes the
          // system some milliseconds to spread them again.
          _ = try contestant.time(batch: batches[index])
        }
        samples[index].append(try contestant.time(batch: batches[index]))
      }
      let isOver = SteadyClock.now() - start >= budget
      if isOver && samples[0].count >= leastSamples { break }
      if samples[0].count >= enoughSamples && samples.allSatisfy({ Quartiles($0).relativeSpread < spread }) {
        break
      }
    }
    return zip(batches, samples).map { Series(executionsPerSample: $0, samples: $1) }
  }

  /// Executions that fill a sample; finding it out is the warm-up.
  private func batch(of contestant: Contestant) throws -> Int {
    _ = try contestant.time(batch: 1)
    var count = 1
    while count < 1 << 20 {
      let seconds = try contestant.time(batch: count) * Double(count)
      if seconds >= sampleSeconds { break }
      let wanted = seconds > 0 ? Double(count) * sampleSeconds * 1.2 / seconds : 16 * Double(count)
      count = min(16 * count, max(count + 1, Int(wanted)))
    }
    return count
  }
}

/// Quantiles of sorted values, interpolated between neighbours.
enum Quantile {
  static func of(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
  }
}
