/// How a kernel is shaped beyond what its problem demands: tile sizes, rows per work-item, depths of blocks.
///
/// A configuration never changes what is computed, only how fast (and, where sums are split, the rounding). Families
/// read theirs with ``OpenCLDevice/configuration(_:for:)``; `nibble tune` searches ``candidates(for:problem:)``.
public protocol KernelConfiguration: Hashable, Sendable {
  /// The name under which configurations are kept, for example `matmul`.
  static var family: String { get }

  /// Every parameter by name, as in the database.
  var parameters: [String: Int] { get }

  /// Nil when a parameter is missing, unknown or out of range.
  init?(parameters: [String: Int])

  /// The safe choice when nothing was measured: it must run on every device of its style.
  ///
  /// - Parameter problem: The class of problems, in the family's own words, for example `nt`.
  static func standard(for device: DeviceDescription, problem: String) -> Self

  /// What is worth trying on a device, in no order; need not fit it.
  static func candidates(for device: DeviceDescription, problem: String) -> [Self]

  /// Whether the device's limits allow it, judged before anything is compiled.
  func fits(_ device: DeviceDescription) -> Bool
}

/// Why an entry of the tuning database is not used.
public enum TuningFault: String, Sendable, Hashable {
  /// Parameters of another version of the program, or no numbers that make a configuration.
  case unknownParameters = "unknown parameters"
  /// Above the device's limits, or of another style of kernels.
  case doesNotFit = "does not fit the device"
}

extension KernelConfiguration {
  /// Nil for parameters that can be used on a device.
  public static func fault(of parameters: [String: Int], on device: DeviceDescription) -> TuningFault? {
    guard let configuration = Self(parameters: parameters) else { return .unknownParameters }
    return configuration.fits(device) ? nil : .doesNotFit
  }
}

extension DeviceDescription {
  /// One device model with one driver and one style of kernels: what a measurement holds for.
  public var exactKey: String { "\(kernelStyle.rawValue) | \(vendor) | \(product) | \(driver)" }

  /// Devices that are alike: what a measurement is a good guess for.
  public var architectureKey: String { "\(kernelStyle.rawValue) | \(vendor) | float\(nativeFloatWidth)" }
}

extension OpenCLDevice {
  /// The best known configuration of a family for a class of problems.
  ///
  /// In this order: one set with ``setConfiguration(_:for:)``, the tuning database's entry for exactly this device,
  /// for its architecture, the family's standard. An entry that cannot be used is passed over; ``onIgnoredEntry``
  /// hears of one for exactly this device.
  public func configuration<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, for problem: String,
  ) -> Configuration {
    let key = TuningKey(family: type.family, problem: problem)
    let chosen = forcedConfigurations[type.family] as? Configuration ?? known(type, for: key)
    commandRecorder?.use(chosen.parameters, for: key)
    return chosen
  }

  /// Without what ``useConfiguration(_:)`` forces.
  private func known<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, for key: TuningKey,
  ) -> Configuration {
    if let known = configurations[key] as? Configuration { return known }
    let found = measured(type, for: key) ?? type.standard(for: description, problem: key.problem)
    configurations[key] = found
    return found
  }

  /// The first entry of the database that can be used.
  private func measured<Configuration: KernelConfiguration>(
    _ type: Configuration.Type, for key: TuningKey,
  ) -> Configuration? {
    for entry in tuning.candidates(for: key, on: description) {
      guard let fault = type.fault(of: entry.parameters, on: description) else {
        return Configuration(parameters: entry.parameters)
      }
      // What was measured on other devices need not fit here.
      if entry.device == description.exactKey { onIgnoredEntry?(entry, fault) }
    }
    return nil
  }

  /// Uses `configuration` for every problem of its family until ``releaseConfiguration(family:)``: for tuning.
  public func useConfiguration<Configuration: KernelConfiguration>(_ configuration: Configuration) {
    forcedConfigurations[Configuration.family] = configuration
  }

  /// Ends what ``useConfiguration(_:)`` began.
  public func releaseConfiguration(family: String) { forcedConfigurations[family] = nil }

  /// Uses `configuration` for a class of problems from now on, whatever the database says: for tuning and for tests.
  public func setConfiguration<Configuration: KernelConfiguration>(
    _ configuration: Configuration, for problem: String,
  ) {
    configurations[TuningKey(family: Configuration.family, problem: problem)] = configuration
  }
}
