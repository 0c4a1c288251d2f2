import Glibc

/// Every environment variable that Nibble reads.
///
/// `docs/environment.md` lists them; a test keeps the two equal.
public enum EnvironmentVariable: String, CaseIterable, Sendable {
  /// The device to use when `--device` is not given.
  case device = "NIBBLE_DEVICE"
  /// Host threads (default: the processors this process may use).
  case threads = "NIBBLE_THREADS"
  /// A folder whose `.cl` files replace the embedded kernels of the same name.
  case kernels = "NIBBLE_KERNELS"
  /// The folder of the kernel binary cache; `off` disables it.
  case cache = "NIBBLE_CACHE"
  /// `processor` or `graphics`: the kernels to use whatever the kind of the OpenCL device (to test one on the other).
  case kernelStyle = "NIBBLE_KERNEL_STYLE"
  /// Lower limits than OpenCL devices have, `work_group=64,local_memory=32K`: to see what poorer devices would do.
  case limits = "NIBBLE_LIMITS"
  /// The tuning database's file that lies on top of the shipped one; `off` uses neither.
  case tuning = "NIBBLE_TUNING"
  /// 1 prints the device that is opened, 2 also every kernel build.
  case debug = "NIBBLE_DEBUG"

  /// The variable's text, nil when unset or empty.
  public var value: String? {
    guard let text = getenv(rawValue) else { return nil }
    let value = String(cString: text)
    return value.isEmpty ? nil : value
  }

  /// What of an environment can change results and times: our variables, PoCL's and OpenBLAS's.
  public static func influences(in environment: [String: String]) -> [String: String] {
    let ours = Set(allCases.map(\.rawValue))
    return environment.filter { name, value in
      !value.isEmpty && (ours.contains(name) || name.hasPrefix("POCL_") || name.hasPrefix("OPENBLAS_"))
    }
  }

  /// The level of ``debug``, 0 when unset.
  public static let debugLevel: Int = debug.value.flatMap { Int($0) } ?? 0

  /// Prints one line on standard error when the debug level is at least `level`.
  public static func note(_ level: Int, _ text: @autoclosure () -> String) {
    guard debugLevel >= level else { return }
    let line = "nibble: " + text() + "\n"
    _ = line.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
  }
}
