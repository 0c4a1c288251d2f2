import COpenCL

/// Memory of an ``OpenCLDevice``.
///
/// The handle never leaves this module.
public final class OpenCLMemory: Memory {
  /// Nil when the allocation failed (the failure is latched in the device).
  let handle: cl_mem?
  private let owner: OpenCLBlock?
  /// Bytes from the start of the root buffer: sub-buffers are made from the root only.
  private let offset: Int

  init(element: ElementType, count: Int, owner: OpenCLBlock?) {
    self.owner = owner
    handle = owner?.handle
    offset = 0
    super.init(element: element, count: count)
  }

  private init(element: ElementType, count: Int, owner: OpenCLBlock, offset: Int, handle: cl_mem?) {
    self.owner = owner
    self.offset = offset
    self.handle = handle
    super.init(element: element, count: count)
  }

  deinit {
    if let handle, handle != owner?.handle { clReleaseMemObject(handle) }
  }

  public override func view(from start: Int, count: Int) -> Memory {
    precondition(start >= 0 && count >= 0 && start + count <= self.count, "view outside its memory")
    // OpenCL knows no empty sub-buffers, and nothing reads or writes one.
    guard let owner, count > 0 else { return OpenCLMemory(element: element, count: count, owner: nil) }
    let origin = offset + start * element.byteCount
    var region = cl_buffer_region(origin: origin, size: count * element.byteCount)
    var status: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE)
    let part = clCreateSubBuffer(
      owner.handle, flags, cl_buffer_create_type(CL_BUFFER_CREATE_TYPE_REGION), &region, &status)
    if status != CL_SUCCESS { owner.device.latch("clCreateSubBuffer", status) }
    return OpenCLMemory(element: element, count: count, owner: owner, offset: origin, handle: part)
  }
}

/// A block of the device's pool; returns there when the last memory that shares it is gone.
final class OpenCLBlock {
  let device: OpenCLDevice
  let handle: cl_mem
  let size: Int

  init(device: OpenCLDevice, handle: cl_mem, size: Int) {
    self.device = device
    self.handle = handle
    self.size = size
  }

  deinit { device.recycle(handle, size: size) }
}
