import Kernels

/// How the host and a device's queue went along during a step.
public struct QueueProfile: Sendable, Hashable {
  /// From the first command to the host's first wait for a result, which follows the last launch.
  public let enqueueSeconds: Double
  /// Of which the host stood still in transfers after the first launch: nothing could be enqueued meanwhile.
  public let waitSeconds: Double
  /// Of which the host was inside the driver's calls; the rest is this program's own work, recording included.
  public let driverSeconds: Double
  /// Commands were at work on the device.
  public let busySeconds: Double
  /// Between the start of the first launch and the end of the last one, no command was at work.
  public let idleSeconds: Double
  public let launches: Int
  public let transfers: Int
  /// Commands whose times the driver did not give; they are missing in all other figures.
  public let lostCommands: Int

  /// Nil where there is no queue.
  init?(_ profile: DeviceProfile) {
    let commands = profile.commands
    guard let first = commands.firstIndex(where: { $0.kind == .kernel }),
      let last = commands.lastIndex(where: { $0.kind == .kernel })
    else { return nil }
    launches = commands.count { $0.kind == .kernel }
    transfers = commands.count - launches
    lostCommands = profile.lostCommands
    let between = commands[first...last]
    let firstWait = commands[last...].first { $0.isBlocking }?.host.start ?? commands[last].host.end
    enqueueSeconds = firstWait - commands[0].host.start
    waitSeconds = between.reduce(0) { $0 + ($1.isBlocking ? $1.host.seconds : 0) }
    driverSeconds = commands[...last].reduce(0) { $0 + $1.host.seconds }
    busySeconds = commands.reduce(0) { $0 + $1.device.seconds }
    var idle = 0.0
    for (command, next) in zip(between, between.dropFirst()) {
      idle += max(0, next.device.start - command.device.end)
    }
    idleSeconds = idle
  }
}
