public import Files
public import Kernels

/// A watched step as a file for a trace viewer (chrome://tracing, ui.perfetto.dev).
///
/// One track for the host's operations (on a device with a queue: enqueueing them), one for the device's commands;
/// times in microseconds from the start of the step.
///
/// - SeeAlso: "Trace Event Format", Google, complete events (`"ph": "X"`).
public struct StepTimeline {
  private let profile: DeviceProfile
  private let device: String

  /// - Parameter device: The device's name, for the titles of the tracks.
  public init(_ profile: DeviceProfile, device: String) {
    self.profile = profile
    self.device = device
  }

  /// The tracks' numbers.
  private enum Track: Int64 {
    case host = 1
    case device = 2
  }

  public var json: JSON {
    var events = [title("process_name", "nibble training step", .host)]
    events.append(title("thread_name", profile.commands.isEmpty ? "\(device)" : "host: enqueue", .host))
    if !profile.commands.isEmpty { events.append(title("thread_name", "\(device): queue", .device)) }
    events += profile.works.map { work in
      event(work.operation, "operation", work.host, .host, arguments(of: work))
    }
    for command in profile.commands {
      let work = command.work.map { profile.works[$0] }
      let kind = command.kind == .kernel ? "kernel" : "transfer"
      events.append(event(command.name, kind, command.device, .device, arguments(of: command, work)))
      // Transfers outside of operations that the host waits for are its own doing.
      if command.work == nil, command.isBlocking {
        events.append(event("wait for \(command.name)", "wait", command.host, .host, [:]))
      }
    }
    return ["displayTimeUnit": "ms", "traceEvents": .array(events)]
  }

  private func title(_ name: String, _ value: String, _ track: Track) -> JSON {
    [
      "name": .string(name), "ph": "M", "pid": 1, "tid": .integer(track.rawValue),
      "args": ["name": .string(value)],
    ]
  }

  private func event(
    _ name: String, _ category: String, _ span: DeviceProfile.Span, _ track: Track, _ arguments: JSONObject,
  ) -> JSON {
    [
      "name": .string(name), "cat": .string(category), "ph": "X", "pid": 1, "tid": .integer(track.rawValue),
      "ts": .number((span.start - profile.host.start) * 1e6), "dur": .number(span.seconds * 1e6),
      "args": .object(arguments),
    ]
  }

  private func arguments(of work: DeviceProfile.Work) -> JSONObject {
    ["scope": .string(work.scope), "flops": .number(work.flops), "bytes": .number(work.bytes)]
  }

  private func arguments(of command: DeviceProfile.Command, _ work: DeviceProfile.Work?) -> JSONObject {
    var arguments: JSONObject = ["family": .string(command.family)]
    guard let work else { return arguments }
    arguments["operation"] = .string(work.operation)
    arguments["scope"] = .string(work.scope)
    // Of the whole operation, which may have several launches.
    arguments["operation_flops"] = .number(work.flops)
    arguments["operation_bytes"] = .number(work.bytes)
    return arguments
  }
}
