/// A contiguous run of elements on one device.
///
/// The last reference returns the block to the device's pool.
///
/// Subclasses belong to their device: ``HostMemory``, ``OpenCLMemory`` and those of devices that other modules
/// define (a planning device, a reference device).
open class Memory {
  public let element: ElementType
  public let count: Int

  public init(element: ElementType, count: Int) {
    self.element = element
    self.count = count
  }

  public var byteCount: Int { count * element.byteCount }

  /// A part of this memory that shares its bytes.
  ///
  /// - Parameters:
  ///   - start: First element. Devices may demand an alignment: see ``viewAlignment``.
  ///   - count: Number of elements.
  open func view(from start: Int, count: Int) -> Memory {
    preconditionFailure("Memory.view must be provided by the device's own memory class")
  }

  /// Numbers that ``Device/writeSmall(_:to:)`` takes: the largest pattern of an OpenCL fill.
  public static let smallWriteLimit = 16

  /// Views start at multiples of this many bytes on every device (the largest base address alignment in use).
  public static let viewAlignment = 4096
}
