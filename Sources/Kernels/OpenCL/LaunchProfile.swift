import COpenCL

/// The device time of one launch.
public struct LaunchRecord: Sendable, Hashable {
  public let kernel: String
  /// Nanoseconds on the device's clock.
  public let start: UInt64
  public let end: UInt64

  public var duration: Double { Double(end &- start) * 1e-9 }
}

/// Events of launches, turned into records when the queue is finished.
public final class LaunchProfile {
  public private(set) var records: [LaunchRecord] = []
  private var pending: [(kernel: String, event: cl_event)] = []

  init() {}

  deinit { for entry in pending { clReleaseEvent(entry.event) } }

  func add(_ kernel: String, _ event: cl_event) { pending.append((kernel, event)) }

  func collect() {
    for entry in pending {
      let start = time(entry.event, CL_PROFILING_COMMAND_START)
      let end = time(entry.event, CL_PROFILING_COMMAND_END)
      // Some drivers return garbage: a record must at least run forward.
      if end >= start { records.append(LaunchRecord(kernel: entry.kernel, start: start, end: end)) }
      clReleaseEvent(entry.event)
    }
    pending = []
  }

  private func time(_ event: cl_event, _ key: Int32) -> UInt64 {
    var value: cl_ulong = 0
    clGetEventProfilingInfo(event, cl_profiling_info(key), MemoryLayout<cl_ulong>.size, &value, nil)
    return value
  }
}
