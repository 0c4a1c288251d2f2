import COpenCL

/// A `cl_kernel` with what the driver reports about it.
///
/// One queue uses it: setting arguments is not thread-safe.
final class KernelObject {
  let name: String
  /// The family of its program.
  let family: String
  let handle: cl_kernel
  /// The work-group size that the kernel's source requires (`reqd_work_group_size`).
  let workGroup: [Int]
  let localByteCount: Int
  let largestWorkGroup: Int
  /// Declared argument types as written in the source, for example `float*`; empty when the driver keeps none.
  let argumentTypes: [(type: String, name: String)]
  /// The argument list that was last compared with the declared one and found equal: its type and its length.
  var checked: CheckedArguments?

  struct CheckedArguments: Equatable {
    let type: ObjectIdentifier
    let count: Int
  }

  init?(_ name: String, family: String, program: cl_program, device: cl_device_id) {
    var status: cl_int = 0
    guard let handle = clCreateKernel(program, name, &status), status == CL_SUCCESS else { return nil }
    self.name = name
    self.family = family
    self.handle = handle
    var required = (0, 0, 0)
    let key = cl_kernel_work_group_info(CL_KERNEL_COMPILE_WORK_GROUP_SIZE)
    clGetKernelWorkGroupInfo(handle, device, key, 3 * MemoryLayout<Int>.size, &required, nil)
    workGroup = [max(1, required.0), max(1, required.1), max(1, required.2)]
    var local: cl_ulong = 0
    let localKey = cl_kernel_work_group_info(CL_KERNEL_LOCAL_MEM_SIZE)
    clGetKernelWorkGroupInfo(handle, device, localKey, MemoryLayout<cl_ulong>.size, &local, nil)
    localByteCount = Int(local)
    var largest = 0
    let sizeKey = cl_kernel_work_group_info(CL_KERNEL_WORK_GROUP_SIZE)
    clGetKernelWorkGroupInfo(handle, device, sizeKey, MemoryLayout<Int>.size, &largest, nil)
    largestWorkGroup = largest
    argumentTypes = KernelObject.arguments(of: handle)
  }

  deinit { clReleaseKernel(handle) }

  private static func arguments(of kernel: cl_kernel) -> [(type: String, name: String)] {
    var count: cl_uint = 0
    let key = cl_kernel_info(CL_KERNEL_NUM_ARGS)
    guard clGetKernelInfo(kernel, key, MemoryLayout<cl_uint>.size, &count, nil) == CL_SUCCESS else {
      return []
    }
    let arguments = (0..<count).map { index in
      (
        type: text(kernel, index, CL_KERNEL_ARG_TYPE_NAME),
        name: text(kernel, index, CL_KERNEL_ARG_NAME)
      )
    }
    return arguments.contains { $0.type.isEmpty } ? [] : arguments
  }

  private static func text(_ kernel: cl_kernel, _ index: cl_uint, _ key: Int32) -> String {
    OpenCLPlatform.string { size, buffer, needed in
      clGetKernelArgInfo(kernel, index, cl_kernel_arg_info(key), size, buffer, needed)
    }
  }
}
