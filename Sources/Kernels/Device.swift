/// How kernels are shaped for a device.
public enum KernelStyle: String, Sendable, Hashable, CaseIterable {
  /// One work-item per large block, explicit vectors, no barriers: processors.
  case processor
  /// Work-groups of many items that share local memory and read neighbouring addresses: graphics processors.
  case graphics
}

/// What a device tells about itself; shown by `nibble devices` and stored with every result.
public struct DeviceDescription: Sendable, Hashable {
  /// The stable name that people type: `pocl:0`, `intel:0`, `cpu`.
  public var name: String
  /// The product, for example `AMD EPYC (PoCL 3.1)`.
  public var product: String
  public var vendor: String
  public var driver: String
  /// The OpenCL C version, nil for devices that run no OpenCL.
  public var languageVersion: String?
  /// True when the device shares the host's processor and memory.
  public var isProcessor: Bool
  /// The style of kernels that run here: that of the device's kind, unless `NIBBLE_KERNEL_STYLE` says otherwise.
  public var kernelStyle: KernelStyle
  public var computeUnits: Int
  public var memoryByteCount: Int
  /// The largest single allocation in bytes.
  public var largestAllocation: Int
  public var localMemoryByteCount: Int
  public var largestWorkGroup: Int
  /// Floats that one vector instruction of the device works on.
  public var nativeFloatWidth: Int
  public var hasHalf: Bool
  public var hasDouble: Bool
  public var hasSubgroups: Bool

  public init(
    name: String, product: String, vendor: String, driver: String, languageVersion: String? = nil,
    isProcessor: Bool, kernelStyle: KernelStyle? = nil, computeUnits: Int, memoryByteCount: Int,
    largestAllocation: Int,
    localMemoryByteCount: Int = 0, largestWorkGroup: Int = 1, nativeFloatWidth: Int = 1,
    hasHalf: Bool = false,
    hasDouble: Bool = true, hasSubgroups: Bool = false,
  ) {
    self.name = name
    self.product = product
    self.vendor = vendor
    self.driver = driver
    self.languageVersion = languageVersion
    self.isProcessor = isProcessor
    self.kernelStyle = kernelStyle ?? (isProcessor ? .processor : .graphics)
    self.computeUnits = computeUnits
    self.memoryByteCount = memoryByteCount
    self.largestAllocation = largestAllocation
    self.localMemoryByteCount = localMemoryByteCount
    self.largestWorkGroup = largestWorkGroup
    self.nativeFloatWidth = nativeFloatWidth
    self.hasHalf = hasHalf
    self.hasDouble = hasDouble
    self.hasSubgroups = hasSubgroups
  }
}

/// Where tensors live and operations run.
///
/// A device orders its own work: what is enqueued first happens first.
///
/// Failures of launches and allocations are asynchronous: the device keeps the first one, later work becomes a
/// no-op, and ``finish()`` or a read throws it. One thread owns a device; devices are not `Sendable`.
public protocol Device: AnyObject {
  var description: DeviceDescription { get }
  var failure: FailureLatch { get }
  var memoryUse: MemoryUse { get }
  /// Takes down what is executed while the device is watched; nil otherwise.
  var recorder: ProfileRecorder? { get }

  /// Memory for `count` elements, contents undefined. A failed allocation is latched in ``failure``.
  func allocate(_ count: Int, of element: ElementType) -> Memory
  /// Copies `values` into `memory`. The values are read before the call returns.
  func write<Scalar: DeviceScalar>(_ values: [Scalar], to memory: Memory)
  /// Writes at most ``Memory/smallWriteLimit`` numbers without waiting for earlier work: values that change every
  /// step (learning rate, corrections).
  func writeSmall(_ values: [Float], to memory: Memory)
  /// Waits for everything enqueued so far and returns the contents.
  func read<Scalar: DeviceScalar>(_ memory: Memory, as type: Scalar.Type) throws -> [Scalar]
  /// Copies all elements between two memories of the same element type and count.
  func copy(_ source: Memory, to destination: Memory)
  /// Sets every byte to zero.
  func zero(_ memory: Memory)
  /// Enqueues the same value for every element of a float32 memory.
  func fill(_ memory: Memory, with value: Float)
  /// Waits for everything enqueued so far; throws the first failure since the last call.
  func finish() throws
}

extension Device {
  /// Devices that compute nothing are never watched.
  public var recorder: ProfileRecorder? { nil }
}

/// Bytes in use on a device, counted by the device's own allocator.
public struct MemoryUse: Sendable, Hashable {
  /// Bytes held by live tensors.
  public internal(set) var live = 0
  /// The largest value of `live` so far.
  public internal(set) var peak = 0
  /// Bytes that the device holds in all, free blocks of the pool included.
  public internal(set) var reserved = 0

  public init() {}

  public mutating func add(_ bytes: Int) {
    live += bytes
    peak = max(peak, live)
  }
  public mutating func remove(_ bytes: Int) { live -= bytes }
}

/// Keeps a device's first failure until somebody asks for it.
public final class FailureLatch {
  public private(set) var first: (any Error)?

  public init() {}

  public var isSet: Bool { first != nil }

  public func set(_ error: any Error) {
    if first == nil { first = error }
  }

  /// Throws the kept failure and forgets it.
  public func throwIfSet() throws {
    guard let error = first else { return }
    first = nil
    throw error
  }
}
