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

  /// The profile; the queue must be finished.
  override func finish() -> DeviceProfile {
    var profile = super.finish()
    let times = pending.map { DeviceTimes($0.event) }
    let origin = times.compactMap { $0?.queued }.min() ?? 0
    let offset = clockOffset(times, origin)
    for (entry, times) in zip(pending, times) {
      // Some drivers return garbage: a command must at least run forward.
      guard let times, times.queued <= times.start, times.start <= times.end else {
        profile.lostCommands += 1
        continue
      }
      let span = DeviceProfile.Span(
        start: times.start.seconds(since: origin) + offset, end: times.end.seconds(since: origin) + offset)
      profile.commands.append(
        DeviceProfile.Command(
          kind: entry.kind, name: entry.name, family: entry.family, work: entry.work, host: entry.host,
          isBlocking: entry.isBlocking, device: span))
    }
    return profile
  }

  /// Our time at `origin` on the device's clock.
  ///
  /// A command was queued while its call ran, so every command bounds the difference from both sides; the middle of what
  /// all of them leave is taken.
  private func clockOffset(_ times: [DeviceTimes?], _ origin: UInt64) -> Double {
    var (low, high) = (-Double.infinity, Double.infinity)
    for case (let entry, let times?) in zip(pending, times) {
      let queued = times.queued.seconds(since: origin)
      low = max(low, entry.host.start - queued)
      high = min(high, entry.host.end - queued)
    }
    return low.isFinite && high.isFinite ? (low + high) / 2 : 0
  }
}

/// Nanoseconds on the device's clock.
private struct DeviceTimes {
  let queued: UInt64
  let start: UInt64
  let end: UInt64

  /// Nil where the driver keeps no times.
  init?(_ event: cl_event) {
    guard let queued = Self.time(event, CL_PROFILING_COMMAND_QUEUED),
      let start = Self.time(event, CL_PROFILING_COMMAND_START),
      let end = Self.time(event, CL_PROFILING_COMMAND_END)
    else { return nil }
    (self.queued, self.start, self.end) = (queued, start, end)
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
