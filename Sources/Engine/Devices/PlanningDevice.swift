public import Kernels

/// A device that computes nothing: it tracks shapes, bytes and FLOPs.
///
/// Running a step on it gives the memory and work of that step (`nibble train --plan`).
public final class PlanningDevice: OperationDevice {
  public let description: DeviceDescription
  public let failure = FailureLatch()
  public internal(set) var memoryUse = MemoryUse()
  /// The largest single allocation so far in bytes.
  public private(set) var largestAllocation = 0
  /// Work by operation name.
  public private(set) var work: [String: (calls: Int, cost: Cost)] = [:]

  /// - Parameter description: The device that is planned for.
  public init(for description: DeviceDescription) { self.description = description }

  public func allocate(_ count: Int, of element: ElementType) -> Memory {
    // Devices hand out memory in blocks, so the plan counts blocks.
    let size = Memory.blockByteCount(for: count * element.byteCount)
    largestAllocation = max(largestAllocation, size)
    return PlannedMemory(element: element, count: count, owner: PlannedBlock(device: self, size: size))
  }

  public func write<Scalar: DeviceScalar>(_ values: [Scalar], to memory: Memory) {}

  public func writeSmall(_ values: [Float], to memory: Memory) {}

  /// Zeros: there is nothing to read.
  public func read<Scalar: DeviceScalar>(_ memory: Memory, as type: Scalar.Type) throws -> [Scalar] {
    let bytes = [UInt8](repeating: 0, count: memory.count * MemoryLayout<Scalar>.stride)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Scalar.self)) }
  }

  public func copy(_ source: Memory, to destination: Memory) {}
  public func zero(_ memory: Memory) {}
  public func fill(_ memory: Memory, with value: Float) {}
  public func finish() throws { try failure.throwIfSet() }

  public func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let needed = operation.workspace(inputs.map(\.type))
    let workspace = needed > 0 ? Memory.blockByteCount(for: needed) : 0
    memoryUse.add(workspace)
    memoryUse.remove(workspace)
    let cost = operation.cost(inputs.map(\.type), outputs.map(\.type))
    var known = work[type(of: operation).name] ?? (0, Cost(flops: 0, bytes: 0))
    known.calls += 1
    known.cost.flops += cost.flops
    known.cost.bytes += cost.bytes
    work[type(of: operation).name] = known
  }

  /// All work so far.
  public var total: Cost {
    work.values.reduce(Cost(flops: 0, bytes: 0)) {
      Cost(flops: $0.flops + $1.cost.flops, bytes: $0.bytes + $1.cost.bytes)
    }
  }
}

private final class PlannedBlock {
  let device: PlanningDevice
  let size: Int

  init(device: PlanningDevice, size: Int) {
    self.device = device
    self.size = size
    device.memoryUse.add(size)
  }

  deinit { device.memoryUse.remove(size) }
}

private final class PlannedMemory: Memory {
  private let owner: PlannedBlock

  init(element: ElementType, count: Int, owner: PlannedBlock) {
    self.owner = owner
    super.init(element: element, count: count)
  }

  override func view(from start: Int, count: Int) -> Memory {
    precondition(start >= 0 && count >= 0 && start + count <= self.count, "view outside its memory")
    return PlannedMemory(element: element, count: count, owner: owner)
  }
}
