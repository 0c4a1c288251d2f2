/// What a device did while it was watched: the operations that the host ran, and the commands that they enqueued.
///
/// All times are seconds of ``SteadyClock``.
public struct DeviceProfile: Sendable, Hashable {
  /// An operation as the host saw it: on the host its execution, elsewhere the time it took to enqueue it.
  public struct Work: Sendable, Hashable {
    public let operation: String
    /// Where it ran, for example `layers.3.mlp`; empty outside of a model.
    public let scope: String
    public let flops: Double
    public let bytes: Double
    public internal(set) var host: Span
  }

  /// A command of an OpenCL queue.
  public struct Command: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
      case kernel
      /// Reads, writes, copies and fills.
      case transfer
    }

    public let kind: Kind
    /// The kernel's name, or `read`, `write`, `copy`, `fill`.
    public let name: String
    /// The family of the kernel's program; `transfer` for transfers.
    public let family: String
    /// Position of the operation in ``DeviceProfile/works``; nil for commands outside of any.
    public let work: Int?
    /// The call that enqueued it; a blocking one ends when the command has ended.
    public let host: Span
    public let isBlocking: Bool
    /// When the device worked on it.
    public let device: Span
  }

  public struct Span: Sendable, Hashable {
    public var start: Double
    public var end: Double

    public init(start: Double, end: Double) {
      self.start = start
      self.end = end
    }

    public var seconds: Double { end - start }
  }

  /// In the order of execution.
  public internal(set) var works: [Work] = []
  /// In the order of enqueueing; none on the host.
  public internal(set) var commands: [Command] = []
  /// Commands whose times the driver did not give.
  public internal(set) var lostCommands = 0
  /// Positions in ``works`` of the operations that they belong to.
  public internal(set) var incompleteWorks: Set<Int> = []
  /// The kernel configurations that were looked up.
  public internal(set) var configurations: [TuningKey: [String: Int]] = [:]
  /// From the first call to the end of waiting.
  public internal(set) var host: Span

  /// ``configurations`` as `family/problem`.
  public var namedConfigurations: [String: [String: Int]] {
    Dictionary(uniqueKeysWithValues: configurations.map { ($0.key.name, $0.value) })
  }

  /// What all kernels took together.
  public var kernelSeconds: Double {
    commands.reduce(0) { $0 + ($1.kind == .kernel ? $1.device.seconds : 0) }
  }
}

/// A device that can be watched.
public protocol ProfilingDevice: Device {
  /// From now on every operation and command is recorded.
  func startProfile()
  /// Waits for the device and returns what was recorded since ``startProfile()``.
  func stopProfile() throws -> DeviceProfile
}

/// Records operations while a device is watched.
public class ProfileRecorder {
  private(set) var works: [DeviceProfile.Work] = []
  /// The operation that is being executed.
  private(set) var currentWork: Int?
  private let start = SteadyClock.now()

  /// Runs an operation and notes how long the host was busy with it.
  public func record<Failure: Error>(
    _ operation: String, scope: String, flops: Double, bytes: Double, _ body: () throws(Failure) -> Void,
  ) throws(Failure) {
    let start = SteadyClock.now()
    let index = works.count
    works.append(
      DeviceProfile.Work(
        operation: operation, scope: scope, flops: flops, bytes: bytes,
        host: DeviceProfile.Span(start: start, end: start)))
    currentWork = index
    defer {
      works[index].host.end = SteadyClock.now()
      currentWork = nil
    }
    try body()
  }

  func finish() -> DeviceProfile {
    DeviceProfile(works: works, host: DeviceProfile.Span(start: start, end: SteadyClock.now()))
  }
}
