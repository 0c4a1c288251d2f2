import COpenCL

/// How many work-groups a launch has.
///
/// Sizes of work-groups stand in the kernel's source (`reqd_work_group_size`).
public struct Geometry: Hashable, Sendable, CustomStringConvertible {
  let groups: [Int]?
  let items: Int

  /// A grid of work-groups.
  public static func groups(_ x: Int, _ y: Int = 1, _ z: Int = 1) -> Geometry {
    Geometry(groups: [x, y, z], items: 0)
  }

  /// As many work-groups as cover `count` items; the kernel checks its index against the count.
  public static func items(_ count: Int) -> Geometry { Geometry(groups: nil, items: count) }

  public var description: String {
    groups.map { $0.map(String.init).joined(separator: " x ") } ?? "\(items) items"
  }

  func globalSize(workGroup: [Int]) -> [Int] {
    guard let groups else {
      let perGroup = workGroup[0] * workGroup[1] * workGroup[2]
      let count = (items + perGroup - 1) / perGroup
      return [count * workGroup[0], workGroup[1], workGroup[2]]
    }
    return zip(groups, workGroup).map { $0 * $1 }
  }
}

/// A kernel whose parameter list is part of its type: a wrong order or width does not compile, and what the driver
/// reports of the source is compared with it at the first launch.
public struct Kernel<each Argument: KernelArgument> {
  private let object: KernelObject
  private let device: OpenCLDevice

  init(_ object: KernelObject, device: OpenCLDevice) {
    self.object = object
    self.device = device
  }

  /// Enqueues the kernel.
  ///
  /// Failures are latched in the device.
  public func callAsFunction(_ argument: repeat each Argument, over geometry: Geometry) {
    guard !device.failure.isSet else { return }
    // One source kernel can be launched through several Swift types: each is compared.
    if object.checked?.type != ObjectIdentifier(Self.self) {
      var given: [[String]] = []
      for type in repeat (each Argument).self { given.append(type.declaredTypes) }
      guard object.check(given, of: ObjectIdentifier(Self.self), device: device) else { return }
    }
    var index: cl_uint = 0
    var status = CL_SUCCESS
    for value in repeat each argument {
      let result = value.bind(to: object.handle, at: index)
      if result != CL_SUCCESS { status = result }
      index += 1
    }
    guard status == CL_SUCCESS else {
      return device.latch("clSetKernelArg of '\(object.name)'", status)
    }
    object.enqueue(geometry, device: device)
  }
}

/// A kernel whose arguments are only known at run time: generated elementwise kernels.
public struct UntypedKernel {
  private let object: KernelObject
  private let device: OpenCLDevice

  init(_ object: KernelObject, device: OpenCLDevice) {
    self.object = object
    self.device = device
  }

  public func callAsFunction(_ arguments: [any KernelArgument], over geometry: Geometry) {
    guard !device.failure.isSet else { return }
    let known = KernelObject.CheckedArguments(type: ObjectIdentifier(Self.self), count: arguments.count)
    if object.checked != known {
      let given = arguments.map { type(of: $0).declaredTypes }
      guard object.check(given, of: known.type, device: device) else { return }
    }
    for (index, argument) in arguments.enumerated() {
      let status = argument.bind(to: object.handle, at: cl_uint(index))
      guard status == CL_SUCCESS else {
        return device.latch("clSetKernelArg of '\(object.name)'", status)
      }
    }
    object.enqueue(geometry, device: device)
  }
}

extension KernelObject {
  /// Compares the Swift types with the declared ones, and the kernel's needs with the device's limits; once per
  /// argument list.
  fileprivate func check(_ given: [[String]], of type: ObjectIdentifier, device: OpenCLDevice) -> Bool {
    checked = nil
    let size = workGroup.reduce(1, *)
    let limit = min(device.description.largestWorkGroup, largestWorkGroup > 0 ? largestWorkGroup : .max)
    guard size <= limit else {
      device.failure.set(
        KernelError.workGroupTooLarge(kernel: name, device: device.description.name, size: size, limit: limit)
      )
      return false
    }
    guard localByteCount <= device.description.localMemoryByteCount else {
      device.failure.set(
        KernelError.localMemoryTooLarge(
          kernel: name, device: device.description.name, byteCount: localByteCount,
          limit: device.description.localMemoryByteCount))
      return false
    }
    // A driver that keeps no argument information leaves nothing to compare.
    let positions = argumentTypes.isEmpty ? 0 : max(given.count, argumentTypes.count)
    for position in 0..<positions {
      let declared = position < argumentTypes.count ? argumentTypes[position] : (type: "nothing", name: "-")
      let types = position < given.count ? given[position] : ["nothing"]
      guard types.contains(declared.type) else {
        device.failure.set(
          KernelError.argumentMismatch(
            kernel: name, position: position, name: declared.name, declared: declared.type, given: types[0]))
        return false
      }
    }
    checked = CheckedArguments(type: type, count: given.count)
    return true
  }

  fileprivate func enqueue(_ geometry: Geometry, device: OpenCLDevice) {
    let global = geometry.globalSize(workGroup: workGroup)
    guard global.allSatisfy({ $0 > 0 }) else { return }
    let status = global.withUnsafeBufferPointer { global in
      workGroup.withUnsafeBufferPointer { local in
        device.enqueue(.kernel, name, family: family) {
          clEnqueueNDRangeKernel(
            device.queue, handle, 3, nil, global.baseAddress, local.baseAddress, 0, nil, $0)
        }
      }
    }
    guard status == CL_SUCCESS else {
      device.failure.set(
        KernelError.launchFailed(
          kernel: name, device: device.description.name, geometry: geometry.description, code: status))
      return
    }
    device.launchCount += 1
  }
}
