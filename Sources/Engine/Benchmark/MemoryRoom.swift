import Kernels

extension DeviceDescription {
  /// Refuses single-precision tensors that the device cannot hold, before anything is made on either side.
  ///
  /// At most half of the memory is given: the host keeps the values too, and on a processor its memory is the device's.
  ///
  /// - Throws: ``KernelError/allocationTooLarge(device:byteCount:limit:)`` for a single tensor above the device's limit,
  ///   ``KernelError/outOfMemory(device:byteCount:live:limit:)`` for all of them together.
  func requireRoom(for shapes: [Shape]) throws {
    var total = 0
    for shape in shapes {
      let bytes = shape.dimensions.reduce(MemoryLayout<Float>.size, Self.product)
      guard bytes <= largestAllocation else {
        throw KernelError.allocationTooLarge(device: name, byteCount: bytes, limit: largestAllocation)
      }
      total = Self.sum(total, bytes)
    }
    guard total <= memoryByteCount / 2 else {
      throw KernelError.outOfMemory(device: name, byteCount: total, live: 0, limit: memoryByteCount / 2)
    }
  }

  /// The largest number where the product is none.
  private static func product(_ a: Int, _ b: Int) -> Int {
    let (result, overflows) = a.multipliedReportingOverflow(by: b)
    return overflows ? .max : result
  }

  private static func sum(_ a: Int, _ b: Int) -> Int {
    let (result, overflows) = a.addingReportingOverflow(b)
    return overflows ? .max : result
  }
}
