public import Kernels

/// A device that can run operations: the host, an OpenCL device, or one that plans or checks.
public protocol OperationDevice: Device {
  func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws
}

extension HostDevice: OperationDevice {
  public func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try operation.run(on: self, inputs, outputs)
  }
}

extension OpenCLDevice: OperationDevice {
  public func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try operation.run(on: self, inputs, outputs)
  }
}

extension DeviceCatalog {
  /// Opens a device by name for running operations; see ``DeviceCatalog/open(_:threads:)``.
  public static func openForOperations(_ name: String?, threads: Int? = nil) throws -> any OperationDevice {
    switch try open(name, threads: threads) {
    case let host as HostDevice: return host
    case let openCL as OpenCLDevice: return openCL
    case let other: preconditionFailure("device \(other.description.name) runs no operations")
    }
  }
}
