public import COpenCL

/// A value that can be passed to a kernel.
///
/// The Swift type is compared with the parameter's declaration.
///
/// `Int` does not conform: its width is not that of OpenCL's `int`.
public protocol KernelArgument {
  /// Type names that the parameter may be declared with.
  static var declaredTypes: [String] { get }
  /// Sets argument `index`; returns OpenCL's status.
  func bind(to kernel: cl_kernel, at index: cl_uint) -> cl_int
}

extension KernelArgument where Self: BitwiseCopyable {
  public func bind(to kernel: cl_kernel, at index: cl_uint) -> cl_int {
    withUnsafeBytes(of: self) { clSetKernelArg(kernel, index, $0.count, $0.baseAddress) }
  }
}

extension Float: KernelArgument {
  public static var declaredTypes: [String] { ["float"] }
}
extension Int32: KernelArgument {
  public static var declaredTypes: [String] { ["int"] }
}
extension UInt32: KernelArgument {
  public static var declaredTypes: [String] { ["uint", "unsigned int"] }
}
extension UInt64: KernelArgument {
  public static var declaredTypes: [String] { ["ulong", "unsigned long", "size_t"] }
}

/// Sixteen numbers by value.
extension SIMD16: KernelArgument where Scalar == UInt32 {
  public static var declaredTypes: [String] { ["uint16"] }

  public func bind(to kernel: cl_kernel, at index: cl_uint) -> cl_int {
    withUnsafeBytes(of: self) { clSetKernelArg(kernel, index, $0.count, $0.baseAddress) }
  }
}

/// Device memory as a typed kernel argument; nil memory binds a null pointer (an operand that is absent).
public struct Buffer<Scalar: DeviceScalar>: KernelArgument {
  let memory: OpenCLMemory?

  /// - Parameter memory: Memory of an OpenCL device with elements of `Scalar`; nil for an absent operand.
  public init(_ memory: Memory?) {
    precondition(
      memory == nil || memory?.element == Scalar.elementType,
      "memory of \(memory?.element.rawValue ?? "") passed as \(Scalar.self)")
    self.memory = memory as? OpenCLMemory
  }

  public static var declaredTypes: [String] {
    switch Scalar.elementType {
    case .float32: ["float*"] + [2, 4, 8, 16].map { "float\($0)*" }
    case .int32: ["int*"]
    case .uint8: ["uchar*", "unsigned char*"]
    case .bfloat16: ["ushort*", "unsigned short*"]
    }
  }

  public func bind(to kernel: cl_kernel, at index: cl_uint) -> cl_int {
    var handle: cl_mem? = memory?.handle
    return clSetKernelArg(kernel, index, MemoryLayout<cl_mem?>.size, &handle)
  }
}
