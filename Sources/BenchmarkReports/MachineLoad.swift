import Glibc

/// How busy a machine was with other work while a benchmark ran.
public struct MachineLoad: Sendable, Hashable {
  /// The system's load average of one minute before the first row; nil where the system does not say.
  public var averageBefore: Double?
  /// The same after the last row; our own work is in it.
  public var averageAfter: Double?
  /// The share of the machine's processor time that other processes took during the run; nil for runs too short to say.
  public var otherProcessShare: Double?
  /// Processors that the load average counts over.
  public var processors: Int

  public init(averageBefore: Double?, averageAfter: Double?, otherProcessShare: Double?, processors: Int) {
    self.averageBefore = averageBefore
    self.averageAfter = averageAfter
    self.otherProcessShare = otherProcessShare
    self.processors = processors
  }

  /// Other processes took more than this share of the machine: loaded.
  static let shareLimit = 0.05
  /// Where the share is unknown: a load average before the run above this number per processor means loaded.
  static let averageLimit = 0.25

  /// A sentence when other work disturbed the run, else nil.
  public var note: String? {
    if let share = otherProcessShare {
      guard share > Self.shareLimit else { return nil }
      let percent = Int((share * 100).rounded())
      return "a loaded machine: other processes took \(percent) % of the processors during the run"
    }
    guard let average = averageBefore, average > Self.averageLimit * Double(max(1, processors)) else {
      return nil
    }
    return "a loaded machine: the load average was \(average) before the run"
  }
}

/// Reads the system's counters at the start of a run and says at its end how busy the machine was.
public struct MachineLoadMeter: Sendable {
  private let average: Double?
  private let times: ProcessorTimes?
  private let ownSeconds: Double

  public init() {
    average = Self.loadAverage()
    times = Self.processorTimes()
    ownSeconds = Self.ownSeconds()
  }

  /// The load from the meter's creation until now.
  public func finish() -> MachineLoad {
    MachineLoad(
      averageBefore: average, averageAfter: Self.loadAverage(), otherProcessShare: otherShare(),
      processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  private func otherShare() -> Double? {
    guard let before = times, let after = Self.processorTimes() else { return nil }
    let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
    let own = (Self.ownSeconds() - ownSeconds) * ticksPerSecond
    return before.otherShare(until: after, ownTicks: own)
  }

  private static func loadAverage() -> Double? {
    var average = 0.0
    return getloadavg(&average, 1) == 1 ? average : nil
  }

  private static func processorTimes() -> ProcessorTimes? {
    SystemText.read("/proc/stat").flatMap { ProcessorTimes(statistics: $0) }
  }

  /// Processor seconds of this process and of the children it has waited for.
  private static func ownSeconds() -> Double {
    [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue].reduce(0) { sum, who in
      var usage = rusage()
      getrusage(__rusage_who_t(who), &usage)
      let times = [usage.ru_utime, usage.ru_stime]
      return sum + times.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
    }
  }
}

/// The first line of `/proc/stat`: ticks since the start of the system, over all processors.
struct ProcessorTimes: Sendable, Hashable {
  let busy: Double
  let idle: Double

  /// Differences below so many ticks say nothing: the counters are coarse.
  static let leastTicks = 100.0

  init?(statistics: String) {
    guard let line = statistics.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
    let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
    // user nice system idle iowait irq softirq steal; guests are counted in user already.
    guard ticks.count >= 8 else { return nil }
    idle = ticks[3] + ticks[4]
    busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]
  }

  func otherShare(until later: ProcessorTimes, ownTicks: Double) -> Double? {
    let busy = later.busy - busy
    let total = busy + later.idle - idle
    guard total >= Self.leastTicks else { return nil }
    return min(1, max(0, (busy - ownTicks) / total))
  }
}
