import Engine
import Kernels

/// The devices that tests run on: the host, and every OpenCL device that is installed.
enum TestDevices {
  static func all() throws -> [any OperationDevice] {
    try DeviceCatalog.list().map { try DeviceCatalog.openForOperations($0.name) }
  }
}
