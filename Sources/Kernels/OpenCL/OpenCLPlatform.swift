import COpenCL
import Glibc
import Synchronization

/// One OpenCL device of an installed driver, not opened yet.
struct OpenCLCandidate {
  let platform: cl_platform_id
  let device: cl_device_id
  let description: DeviceDescription
}

/// Finds devices through the ICD loader.
enum OpenCLPlatform {
  /// All devices of all drivers, in the loader's order.
  ///
  /// Names are the driver's short name and the device's number within it: `pocl:0`, `intel:0`, `nvidia:1`.
  static func candidates() -> [OpenCLCandidate] {
    // Drivers set themselves up in the first call; PoCL 3.1 crashes when two threads make it.
    discovery.withLock { _ in unguardedCandidates() }
  }

  private static let discovery = Mutex(())

  private static func unguardedCandidates() -> [OpenCLCandidate] {
    var count: cl_uint = 0
    guard clGetPlatformIDs(0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
    guard clGetPlatformIDs(count, &platforms, nil) == CL_SUCCESS else { return [] }
    var numbers: [String: Int] = [:]
    var found: [OpenCLCandidate] = []
    for platform in platforms.compactMap({ $0 }) {
      let prefix = shortName(ofPlatform: text(platform, UInt32(CL_PLATFORM_NAME)))
      for device in devices(of: platform) {
        let number = numbers[prefix, default: 0]
        numbers[prefix] = number + 1
        found.append(
          OpenCLCandidate(
            platform: platform, device: device,
            description: describe(device, platform: platform, name: "\(prefix):\(number)")))
      }
    }
    return found
  }

  /// The prefix of device names for a platform.
  static func shortName(ofPlatform name: String) -> String {
    let lowered = name.lowercased()
    let known = [
      ("portable computing language", "pocl"), ("oclgrind", "oclgrind"), ("intel", "intel"),
      ("nvidia", "nvidia"),
      ("amd", "amd"), ("rusticl", "rusticl"), ("apple", "apple"), ("arm", "arm"), ("qualcomm", "qualcomm"),
      ("clvk", "clvk"),
    ]
    if let match = known.first(where: { lowered.contains($0.0) }) { return match.1 }
    let letters = lowered.filter { $0.isLetter || $0.isNumber }
    return letters.isEmpty ? "opencl" : String(letters.prefix(12))
  }

  /// Why no device may have been found: what the loader looks at.
  static func searchHint() -> String {
    let vendors = getenv("OCL_ICD_VENDORS").map { String(cString: $0) }
    let place = vendors.map { "OCL_ICD_VENDORS=\($0)" } ?? "/etc/OpenCL/vendors"
    return
      "OpenCL drivers are looked up in \(place); `apt install pocl-opencl-icd` adds one for any processor"
  }

  private static func devices(of platform: cl_platform_id) -> [cl_device_id] {
    var count: cl_uint = 0
    let all = cl_device_type(CL_DEVICE_TYPE_ALL)
    guard clGetDeviceIDs(platform, all, 0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var devices = [cl_device_id?](repeating: nil, count: Int(count))
    guard clGetDeviceIDs(platform, all, count, &devices, nil) == CL_SUCCESS else { return [] }
    return devices.compactMap { $0 }
  }

  private static func describe(
    _ device: cl_device_id, platform: cl_platform_id, name: String,
  ) -> DeviceDescription {
    let extensions = text(device, CL_DEVICE_EXTENSIONS)
    let kind = value(device, CL_DEVICE_TYPE, cl_device_type.self) ?? 0
    let doubles = value(device, CL_DEVICE_DOUBLE_FP_CONFIG, cl_device_fp_config.self) ?? 0
    let subgroups = value(device, CL_DEVICE_MAX_NUM_SUB_GROUPS, cl_uint.self) ?? 0
    let reported = DeviceDescription(
      name: name,
      product: text(device, CL_DEVICE_NAME),
      vendor: text(platform, UInt32(CL_PLATFORM_NAME)),
      driver: text(device, CL_DRIVER_VERSION),
      languageVersion: text(device, CL_DEVICE_OPENCL_C_VERSION),
      isProcessor: kind & cl_device_type(CL_DEVICE_TYPE_CPU) != 0,
      kernelStyle: EnvironmentVariable.kernelStyle.value.flatMap { KernelStyle(rawValue: $0) },
      computeUnits: Int(value(device, CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self) ?? 1),
      memoryByteCount: Int(value(device, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong.self) ?? 0),
      largestAllocation: Int(value(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong.self) ?? 0),
      localMemoryByteCount: Int(value(device, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong.self) ?? 0),
      largestWorkGroup: value(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, Int.self) ?? 1,
      nativeFloatWidth: Int(value(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint.self) ?? 1),
      hasHalf: extensions.contains("cl_khr_fp16"),
      hasDouble: doubles != 0,
      hasSubgroups: subgroups > 0,
    )
    // A text that does not read is refused where a device is opened.
    let limits = EnvironmentVariable.limits.value.flatMap { DeviceLimits($0) }
    return limits?.applied(to: reported) ?? reported
  }

  private static func text(_ platform: cl_platform_id, _ key: UInt32) -> String {
    string { size, buffer, needed in clGetPlatformInfo(platform, key, size, buffer, needed) }
  }

  private static func text(_ device: cl_device_id, _ key: Int32) -> String {
    string { size, buffer, needed in clGetDeviceInfo(device, cl_device_info(key), size, buffer, needed) }
  }

  /// One of the `clGet...Info` calls: room in bytes, where to write, where to put the length.
  typealias InformationCall = (Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?) -> cl_int

  /// Reads a name of unknown length, on one line and without superfluous spaces.
  static func string(_ call: InformationCall) -> String {
    text(call).split(whereSeparator: { $0.isWhitespace }).joined(separator: " ")
  }

  /// Reads a text of unknown length as it is: the lines of a build log matter.
  static func text(_ call: InformationCall) -> String {
    var size = 0
    guard call(0, nil, &size) == CL_SUCCESS, size > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard bytes.withUnsafeMutableBytes({ call(size, $0.baseAddress, nil) }) == CL_SUCCESS else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func value<Value: BitwiseCopyable>(
    _ device: cl_device_id, _ key: Int32, _ type: Value.Type,
  ) -> Value? {
    withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer -> Value? in
      guard let base = buffer.baseAddress else { return nil }
      let size = MemoryLayout<Value>.size
      guard clGetDeviceInfo(device, cl_device_info(key), size, base, nil) == CL_SUCCESS else { return nil }
      return base.pointee
    }
  }
}
