import Glibc
public import Kernels

/// What was measured with, and how busy the machine was.
public struct BenchmarkEnvironment: Sendable, Hashable {
  /// Product, driver, compute units and the like of every device of the call.
  public var devices: [DeviceDescription]
  /// Processors that this process may use.
  public var processors: Int
  /// Threads of the host's loops and of OpenBLAS.
  public var hostThreads: Int
  /// OpenBLAS with its build options, as it describes itself.
  public var blas: String
  public var programVersion: String
  /// The call as it was typed, without the program's name.
  public var arguments: [String]
  /// When measuring began, seconds since 1970.
  public var date: Double
  /// Processes that wanted a processor, averaged over the last minute, at the start.
  public var loadBefore: Double
  /// The same at the end, our own threads included.
  public var loadAfter: Double

  /// - Parameter devices: Those of the call, in its order.
  public init(devices: [DeviceDescription], programVersion: String, arguments: [String]) {
    self.devices = devices
    self.programVersion = programVersion
    self.arguments = arguments
    processors = HostThreads.usableProcessors
    hostThreads = HostThreads.defaultCount
    blas = BLAS.configuration
    date = Double(time(nil))
    loadBefore = Self.load()
    loadAfter = loadBefore
  }

  /// Notes the load at the end.
  public mutating func end() { loadAfter = Self.load() }

  /// Others used more than half of the processors when measuring began: ratios still mean something, records do not.
  public var isLoaded: Bool { loadBefore > 0.5 * Double(processors) }

  private static func load() -> Double {
    var averages = [0.0]
    return getloadavg(&averages, 1) == 1 ? averages[0] : 0
  }
}
