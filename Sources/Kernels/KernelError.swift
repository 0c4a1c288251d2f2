/// What can go wrong between Nibble and a device.
///
/// Each case carries what its message needs.
public enum KernelError: Error, CustomStringConvertible {
  case noSuchDevice(name: String, available: [String], hint: String)
  case buildFailed(program: String, device: String, options: String, log: String)
  case missingKernel(kernel: String, program: String, known: [String])
  case argumentMismatch(kernel: String, position: Int, name: String, declared: String, given: String)
  case launchFailed(kernel: String, device: String, geometry: String, code: Int32)
  case workGroupTooLarge(kernel: String, device: String, size: Int, limit: Int)
  case localMemoryTooLarge(kernel: String, device: String, byteCount: Int, limit: Int)
  case outOfMemory(device: String, byteCount: Int, live: Int, limit: Int)
  case allocationTooLarge(device: String, byteCount: Int, limit: Int)
  case callFailed(call: String, device: String, code: Int32)
  case noKernelFolder(path: String)
  case invalidVariable(name: String, value: String, expected: String)
  case damagedTuning(path: String, problem: String)
  case missingSource(family: String, place: String, known: [String])

  public var description: String {
    switch self {
    case .noSuchDevice(let name, let available, let hint):
      """
      no device named '\(name)'
        available: \(available.joined(separator: ", "))
        hint: \(hint)
      """
    case .buildFailed(let program, let device, let options, let log):
      """
      cannot build the kernels of '\(program)' for \(device)
        options: \(options)
        driver log: \(log)
        hint: point NIBBLE_KERNELS at a folder with an edited copy of kernels/\(program).cl to try a change
      """
    case .missingKernel(let kernel, let program, let known):
      "no kernel '\(kernel)' in '\(program)'\n  kernels there: \(known.joined(separator: ", "))"
    case .argumentMismatch(let kernel, let position, let name, let declared, let given):
      """
      kernel '\(kernel)': argument \(position) ('\(name)') is declared as \(declared) but \(given) is passed
        hint: the launch in Swift and the parameter list in the .cl file must agree
      """
    case .launchFailed(let kernel, let device, let geometry, let code):
      """
      cannot launch kernel '\(kernel)' on \(device): \(OpenCLStatus.name(of: code))
        work-groups: \(geometry)
        hint: nibble verify --device \(device) tells which operations work there
      """
    case .workGroupTooLarge(let kernel, let device, let size, let limit):
      """
      kernel '\(kernel)' needs work-groups of \(size) items, but \(device) allows \(limit)
        hint: choose another device with --device, for example cpu, or the other kernels: NIBBLE_KERNEL_STYLE=processor
      """
    case .localMemoryTooLarge(let kernel, let device, let byteCount, let limit):
      """
      kernel '\(kernel)' needs \(byteCount) bytes of local memory, but \(device) has \(limit)
        hint: choose another device with --device, for example cpu, or the other kernels: NIBBLE_KERNEL_STYLE=processor
      """
    case .outOfMemory(let device, let byteCount, let live, let limit):
      """
      \(device) has no room for \(byteCount) more bytes
        in use: \(live) of \(limit) bytes
        hint: lower batch.micro or model.context; `nibble train --plan` shows what a run needs
      """
    case .allocationTooLarge(let device, let byteCount, let limit):
      """
      one tensor needs \(byteCount) bytes, but \(device) allows \(limit) in one allocation
        hint: lower batch.micro or model.context; `nibble train --plan` shows what a run needs
      """
    case .callFailed(let call, let device, let code):
      """
      \(call) failed on \(device): \(OpenCLStatus.name(of: code))
        hint: nibble devices shows the driver; NIBBLE_DEBUG=1 prints every choice
      """
    case .noKernelFolder(let path):
      """
      NIBBLE_KERNELS is '\(path)', which is no folder
        hint: name a folder with edited copies of files of kernels/, or unset it to use the built-in ones
      """
    case .invalidVariable(let name, let value, let expected):
      "\(name) is '\(value)', not \(expected)\n  hint: correct the environment variable or unset it"
    case .damagedTuning(let path, let problem):
      """
      the tuning database '\(path)' does not read
        \(problem)
        hint: repair or remove the file, or set NIBBLE_TUNING=off
      """
    case .missingSource(let family, let place, let known):
      "no kernel source '\(family).cl' in \(place)\n  there: \(known.joined(separator: ", "))"
    }
  }
}

/// Names of OpenCL's status codes.
public enum OpenCLStatus {
  public static func name(of code: Int32) -> String {
    if let name = names[code] { return "\(name) (\(code))" }
    return "OpenCL status \(code)"
  }

  private static let names: [Int32: String] = [
    -1: "CL_DEVICE_NOT_FOUND", -2: "CL_DEVICE_NOT_AVAILABLE", -3: "CL_COMPILER_NOT_AVAILABLE",
    -4: "CL_MEM_OBJECT_ALLOCATION_FAILURE", -5: "CL_OUT_OF_RESOURCES", -6: "CL_OUT_OF_HOST_MEMORY",
    -7: "CL_PROFILING_INFO_NOT_AVAILABLE", -8: "CL_MEM_COPY_OVERLAP", -11: "CL_BUILD_PROGRAM_FAILURE",
    -13: "CL_MISALIGNED_SUB_BUFFER_OFFSET", -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
    -30: "CL_INVALID_VALUE", -33: "CL_INVALID_DEVICE", -34: "CL_INVALID_CONTEXT",
    -36: "CL_INVALID_COMMAND_QUEUE", -38: "CL_INVALID_MEM_OBJECT", -42: "CL_INVALID_BINARY",
    -43: "CL_INVALID_BUILD_OPTIONS", -44: "CL_INVALID_PROGRAM", -45: "CL_INVALID_PROGRAM_EXECUTABLE",
    -46: "CL_INVALID_KERNEL_NAME", -48: "CL_INVALID_KERNEL", -49: "CL_INVALID_ARG_INDEX",
    -50: "CL_INVALID_ARG_VALUE", -51: "CL_INVALID_ARG_SIZE", -52: "CL_INVALID_KERNEL_ARGS",
    -53: "CL_INVALID_WORK_DIMENSION", -54: "CL_INVALID_WORK_GROUP_SIZE",
    -55: "CL_INVALID_WORK_ITEM_SIZE", -56: "CL_INVALID_GLOBAL_OFFSET", -57: "CL_INVALID_EVENT_WAIT_LIST",
    -58: "CL_INVALID_EVENT", -59: "CL_INVALID_OPERATION", -61: "CL_INVALID_BUFFER_SIZE",
    -63: "CL_INVALID_GLOBAL_WORK_SIZE", -1001: "CL_PLATFORM_NOT_FOUND_KHR",
  ]
}
