import COpenCL

extension OpenCLDevice: ProfilingDevice {
  public var recorder: ProfileRecorder? { commandRecorder }

  public func startProfile() { commandRecorder = CommandRecorder() }

  public func stopProfile() throws -> DeviceProfile {
    guard let recorder = commandRecorder else { preconditionFailure("the device is not watched") }
    commandRecorder = nil
    try finish()
    return recorder.finish()
  }

  /// Enqueues a read, write, copy or fill.
  func transfer(
    _ name: String, isBlocking: Bool = false, _ call: (UnsafeMutablePointer<cl_event?>?) -> cl_int,
  ) -> cl_int {
    enqueue(.transfer, name, family: "transfer", isBlocking: isBlocking, call)
  }

  /// Enqueues a command, with an event for the recorder while the device is watched.
  func enqueue(
    _ kind: DeviceProfile.Command.Kind, _ name: String, family: String, isBlocking: Bool = false,
    _ call: (UnsafeMutablePointer<cl_event?>?) -> cl_int,
  ) -> cl_int {
    guard let recorder = commandRecorder else { return call(nil) }
    var event: cl_event?
    let start = SteadyClock.now()
    let status = withUnsafeMutablePointer(to: &event, call)
    if let event {
      recorder.add(kind, name, family: family, since: start, isBlocking: isBlocking, event: event)
    }
    return status
  }
}
