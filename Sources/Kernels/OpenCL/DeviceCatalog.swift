/// All devices of this machine, and opening one by name.
public enum DeviceCatalog {
  /// OpenCL devices in the loader's order, then `cpu`.
  public static func list() -> [DeviceDescription] {
    OpenCLPlatform.candidates().map(\.description) + [HostDevice.describe(threads: HostThreads.defaultCount)]
  }

  /// Why OpenCL devices may be missing: where drivers are looked up and how to get one.
  public static func searchHint() -> String { OpenCLPlatform.searchHint() }

  /// Opens a device.
  ///
  /// - Parameters:
  ///   - name: A name of ``list()``, a row number of that list, or nil for `NIBBLE_DEVICE`, else the first OpenCL
  ///     device (processors first: the kernels are written for them), else `cpu`.
  ///   - threads: Host threads for `cpu`; nil takes the default.
  public static func open(_ name: String?, threads: Int? = nil) throws -> any Device {
    let device = try find(name, threads: threads)
    EnvironmentVariable.note(1, "device \(device.description.name): \(device.description.product)")
    return device
  }

  private static func find(_ name: String?, threads: Int?) throws -> any Device {
    if let text = EnvironmentVariable.kernelStyle.value, KernelStyle(rawValue: text) == nil {
      throw KernelError.invalidVariable(
        name: EnvironmentVariable.kernelStyle.rawValue, value: text,
        expected: KernelStyle.allCases.map(\.rawValue).joined(separator: " or "))
    }
    if let text = EnvironmentVariable.limits.value, DeviceLimits(text) == nil {
      throw KernelError.invalidVariable(
        name: EnvironmentVariable.limits.rawValue, value: text, expected: DeviceLimits.expected)
    }
    let wanted = name ?? EnvironmentVariable.device.value
    if wanted == "cpu" { return try openHost(threads) }
    let candidates = OpenCLPlatform.candidates()
    guard let wanted else {
      let best = candidates.first(where: \.description.isProcessor) ?? candidates.first
      guard let best else { return try openHost(threads) }
      return try OpenCLDevice(best)
    }
    if let row = Int(wanted) {
      if candidates.indices.contains(row) { return try OpenCLDevice(candidates[row]) }
      if row == candidates.count { return try openHost(threads) }
    }
    if let match = candidates.first(where: { $0.description.name == wanted }) {
      return try OpenCLDevice(match)
    }
    throw KernelError.noSuchDevice(
      name: wanted, available: candidates.map(\.description.name) + ["cpu"],
      hint: candidates.isEmpty ? OpenCLPlatform.searchHint() : "nibble devices lists them")
  }

  private static func openHost(_ threads: Int?) throws -> HostDevice {
    if threads == nil, let text = EnvironmentVariable.threads.value, Int(text).map({ $0 > 0 }) != true {
      throw KernelError.invalidVariable(
        name: EnvironmentVariable.threads.rawValue, value: text, expected: "a positive number of threads")
    }
    return HostDevice(threads: threads)
  }
}
