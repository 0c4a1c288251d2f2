import COpenCL

/// Records the commands of a queue by their events while an OpenCL device is watched.
final class CommandRecorder: ProfileRecorder {
  private struct Pending {
    let kind: DeviceProfile.Command.Kind
    let name: String
    let family: String
    let work: Int?
    let host: DeviceProfile.Span
    let isBlocking: Bool
    let event: cl_event
  }

  private var pending: [Pending] = []
  private var configurations: [TuningKey: [String: Int]] = [:]

  deinit { for entry in pending { clReleaseEvent(entry.event) } }

  /// Notes a command that was enqueued just now.
  ///
  /// - Parameters:
  ///   - start: When the call that enqueued it began.
  ///   - event: Becomes the recorder's to release.
  func add(
    _ kind: DeviceProfile.Command.Kind, _ name: String, family: String, since start: Double,
    isBlocking: Bool = false, event: cl_event,
  ) {
    pending.append(
      Pending(
        kind: kind, name: name, family: family, work: currentWork,
        host: DeviceProfile.Span(start: start, end: SteadyClock.now()), isBlocking: isBlocking, event: event))
  }

  /// Notes a configuration that was looked up.
  func use(_ parameters: [String: Int], for key: TuningKey) { configurations[key] = parameters }

  /// The profile; the queue must be finished.
  override func finish() -> DeviceProfile {
    var profile = super.finish()
    profile.configurations = configurations
    let times = pending.map { DeviceTimes($0.event) }
    let clock = DeviceClock(zip(times, pending).compactMap { times, entry in times.map { ($0, entry.host) } })
    for (entry, times) in zip(pending, times) {
      guard let times else {
        profile.lostCommands += 1
        if let work = entry.work { profile.incompleteWorks.insert(work) }
        continue
      }
      profile.commands.append(
        DeviceProfile.Command(
          kind: entry.kind, name: entry.name, family: entry.family, work: entry.work, host: entry.host,
          isBlocking: entry.isBlocking, device: clock.span(of: times)))
    }
    return profile
  }
}

/// Translates a device's times to ours.
struct DeviceClock {
  private let origin: UInt64
  /// Our time at `origin` on the device's clock.
  private let offset: Double

  /// A command was queued while its call ran, so every command bounds the difference from both sides; the middle of what
  /// all of them leave is taken.
  ///
  /// - Parameter commands: When commands ran on the device, and when the host's calls did that enqueued them.
  init(_ commands: [(times: DeviceTimes, host: DeviceProfile.Span)]) {
    let origin = commands.map(\.times.queued).min() ?? 0
    var (low, high) = (-Double.infinity, Double.infinity)
    for (times, host) in commands {
      let queued = times.queued.seconds(since: origin)
      low = max(low, host.start - queued)
      high = min(high, host.end - queued)
    }
    self.origin = origin
    offset = low.isFinite && high.isFinite ? (low + high) / 2 : 0
  }

  func span(of times: DeviceTimes) -> DeviceProfile.Span {
    DeviceProfile.Span(
      start: times.start.seconds(since: origin) + offset, end: times.end.seconds(since: origin) + offset)
  }
}

/// Nanoseconds on the device's clock.
struct DeviceTimes {
  let queued: UInt64
  let start: UInt64
  let end: UInt64

  /// Nil for garbage, which some drivers return: a command must at least run forward, and after the clock began.
  init?(queued: UInt64, start: UInt64, end: UInt64) {
    guard queued > 0, queued <= start, start <= end else { return nil }
    (self.queued, self.start, self.end) = (queued, start, end)
  }

  /// Nil where the driver keeps no times.
  init?(_ event: cl_event) {
    guard let queued = Self.time(event, CL_PROFILING_COMMAND_QUEUED),
      let start = Self.time(event, CL_PROFILING_COMMAND_START),
      let end = Self.time(event, CL_PROFILING_COMMAND_END)
    else { return nil }
    self.init(queued: queued, start: start, end: end)
  }

  private static func time(_ event: cl_event, _ key: Int32) -> UInt64? {
    var value: cl_ulong = 0
    let size = MemoryLayout<cl_ulong>.size
    let status = clGetEventProfilingInfo(event, cl_profiling_info(key), size, &value, nil)
    return status == CL_SUCCESS ? value : nil
  }
}

extension UInt64 {
  /// Seconds between two times in nanoseconds; the difference is taken first, as a Double would not hold both exactly.
  fileprivate func seconds(since origin: UInt64) -> Double {
    self >= origin ? Double(self - origin) * 1e-9 : -Double(origin - self) * 1e-9
  }
}
