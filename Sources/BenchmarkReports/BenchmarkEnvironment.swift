/// With what, where and when a benchmark ran.
public struct BenchmarkEnvironment: Sendable, Hashable {
  /// A device that we opened.
  public struct Device: Sendable, Hashable {
    /// The stable name: `pocl:0`.
    public var name: String
    public var product: String
    public var driver: String
    public var computeUnits: Int

    public init(name: String, product: String, driver: String, computeUnits: Int) {
      self.name = name
      self.product = product
      self.driver = driver
      self.computeUnits = computeUnits
    }
  }

  /// The call as it was typed.
  public var command: String
  /// The start in UTC, `2026-11-21T02:14:05Z`.
  public var date: String
  /// The program's version.
  public var version: String
  /// The commit of the source, with ` (modified)` behind it where it was; nil for an installed program.
  public var revision: String?
  /// How the program was compiled: ``release`` or `debug`, which is many times slower.
  public var build: String
  public var machine: MachineDescription
  public var hostThreads: Int
  /// The BLAS library with its version and the processor that its kernels are for.
  public var blas: String
  public var blasThreads: Int
  /// Environment variables that were set and can change times: ours, PoCL's and OpenBLAS's.
  public var variables: [String: String]
  public var devices: [Device]
  public var load: MachineLoad

  public init(
    command: String, date: String, version: String, revision: String?, build: String = Self.release,
    machine: MachineDescription, hostThreads: Int, blas: String, blasThreads: Int,
    variables: [String: String], devices: [Device], load: MachineLoad,
  ) {
    self.command = command
    self.date = date
    self.version = version
    self.revision = revision
    self.build = build
    self.machine = machine
    self.hostThreads = hostThreads
    self.blas = blas
    self.blasThreads = blasThreads
    self.variables = variables
    self.devices = devices
    self.load = load
  }

  public static let release = "release"
  /// Recorded, but no reason for other times.
  private static let harmless: Set<String> = ["NIBBLE_CACHE", "NIBBLE_DEBUG", "NIBBLE_DEVICE"]

  /// What differs from another run in a way that makes times hard to compare, one sentence each.
  func differences(from earlier: BenchmarkEnvironment) -> [String] {
    var sentences: [String] = []
    func compare(_ subject: String, _ then: String, _ now: String) {
      if then != now { sentences.append("\(subject) was '\(then)' and is now '\(now)'") }
    }
    for device in devices {
      guard let then = earlier.devices.first(where: { $0.name == device.name }) else { continue }
      compare("the device of \(device.name)", then.product, device.product)
      compare("the driver of \(device.name)", then.driver, device.driver)
      compare(
        "the number of compute units of \(device.name)", "\(then.computeUnits)", "\(device.computeUnits)")
    }
    compare("the processor", earlier.machine.processor ?? "unknown", machine.processor ?? "unknown")
    compare("the number of host threads", "\(earlier.hostThreads)", "\(hostThreads)")
    compare("the BLAS library", earlier.blas, blas)
    compare("the number of BLAS threads", "\(earlier.blasThreads)", "\(blasThreads)")
    compare("the build", earlier.build, build)
    for name in Set(variables.keys).union(earlier.variables.keys).sorted()
    where !Self.harmless.contains(name) {
      compare(name, earlier.variables[name] ?? "", variables[name] ?? "")
    }
    if let note = earlier.load.note { sentences.append("then: \(note)") }
    return sentences
  }
}
