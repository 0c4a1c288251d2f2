import COpenCL

/// What a program is specialized for; the key of the cache in memory.
struct ProgramKey: Hashable {
  let family: String
  let definitions: [String: String]

  /// Safe for kernels that use infinities, NaN, exp and log: no relaxed or finite-only mathematics.
  static let safeOptions = "-cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros -cl-kernel-arg-info"

  var options: String {
    let macros = definitions.sorted { $0.key < $1.key }.map { " -D \($0.key)=\($0.value)" }
    return Self.safeOptions + macros.joined()
  }
}

/// A built OpenCL program and its kernels.
final class Program {
  let name: String
  private let handle: cl_program
  private let device: cl_device_id
  private var kernels: [String: KernelObject] = [:]

  /// Takes the binary from the cache, or builds from source and stores the binary.
  init(
    key: ProgramKey, source: String, context: cl_context, device: cl_device_id,
    description: DeviceDescription, cache: ProgramCache, onBuild: ((String) -> Void)?,
  ) throws {
    name = key.family
    self.device = device
    let entry = cache.entry(source: source, options: key.options)
    if let binary = entry?.load(),
      let program = Program.load(binary, context: context, device: device, options: key.options)
    {
      handle = program
      EnvironmentVariable.note(2, "kernels of '\(key.family)': binary cache hit")
      return
    }
    onBuild?(key.family)
    EnvironmentVariable.note(2, "kernels of '\(key.family)': building, \(key.options)")
    handle = try Program.compile(
      source, key: key, context: context, device: device, description: description)
    if let binary = Program.binary(of: handle) { entry?.store(binary) }
  }

  deinit {
    kernels = [:]
    clReleaseProgram(handle)
  }

  func kernel(_ kernelName: String) throws -> KernelObject {
    if let kernel = kernels[kernelName] { return kernel }
    guard let kernel = KernelObject(kernelName, family: name, program: handle, device: device) else {
      let names = OpenCLPlatform.string { size, buffer, needed in
        clGetProgramInfo(handle, cl_program_info(CL_PROGRAM_KERNEL_NAMES), size, buffer, needed)
      }
      throw KernelError.missingKernel(
        kernel: kernelName, program: name, known: names.split(separator: ";").map(String.init))
    }
    kernels[kernelName] = kernel
    return kernel
  }

  private static func compile(
    _ source: String, key: ProgramKey, context: cl_context, device: cl_device_id,
    description: DeviceDescription,
  ) throws -> cl_program {
    var status: cl_int = 0
    let created = source.withCString { text -> cl_program? in
      var pointer: UnsafePointer<CChar>? = text
      return clCreateProgramWithSource(context, 1, &pointer, nil, &status)
    }
    guard let program = created else {
      throw KernelError.callFailed(call: "clCreateProgramWithSource", device: description.name, code: status)
    }
    var ids: cl_device_id? = device
    guard clBuildProgram(program, 1, &ids, key.options, nil, nil) == CL_SUCCESS else {
      let log = OpenCLPlatform.text { size, buffer, needed in
        clGetProgramBuildInfo(
          program, device, cl_program_build_info(CL_PROGRAM_BUILD_LOG), size, buffer, needed)
      }
      clReleaseProgram(program)
      throw KernelError.buildFailed(
        program: key.family, device: "\(description.name) (\(description.product))", options: key.options,
        log: String(log.reversed().drop { $0.isWhitespace }.reversed()))
    }
    return program
  }

  /// Nil when the driver refuses the binary: the caller then builds from source.
  private static func load(
    _ binary: [UInt8], context: cl_context, device: cl_device_id, options: String,
  ) -> cl_program? {
    var ids: cl_device_id? = device
    var size = binary.count
    var status: cl_int = 0
    let program = binary.withUnsafeBufferPointer { bytes in
      var pointer = bytes.baseAddress
      return clCreateProgramWithBinary(context, 1, &ids, &size, &pointer, nil, &status)
    }
    guard let program, status == CL_SUCCESS else { return nil }
    guard clBuildProgram(program, 1, &ids, options, nil, nil) == CL_SUCCESS else {
      clReleaseProgram(program)
      return nil
    }
    return program
  }

  private static func binary(of program: cl_program) -> [UInt8]? {
    var size = 0
    let sizes = cl_program_info(CL_PROGRAM_BINARY_SIZES)
    guard clGetProgramInfo(program, sizes, MemoryLayout<Int>.size, &size, nil) == CL_SUCCESS, size > 0 else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeMutableBufferPointer { buffer -> cl_int in
      var pointer = buffer.baseAddress
      let width = MemoryLayout<UnsafeMutablePointer<UInt8>?>.size
      return clGetProgramInfo(program, cl_program_info(CL_PROGRAM_BINARIES), width, &pointer, nil)
    }
    return status == CL_SUCCESS ? bytes : nil
  }
}
