import Glibc

/// Typed access to host memory for the loops of host paths.
///
/// Bounds are checked in debug builds.
///
/// It does not own its memory: it is made from a ``Memory`` for the length of one operation. Threads may write
/// to disjoint elements of the same array; nothing else is shared, which is why it is `@unchecked Sendable`.
public struct HostArray<Scalar: DeviceScalar>: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Scalar>
  public let count: Int

  /// Nil when the allocation behind `memory` failed (the failure is latched in the device).
  public init?(_ memory: Memory) {
    guard let memory = memory as? HostMemory, let pointer = memory.pointer else { return nil }
    precondition(memory.element == Scalar.elementType, "memory of \(memory.element) read as \(Scalar.self)")
    self.pointer = pointer.assumingMemoryBound(to: Scalar.self)
    count = memory.count
  }

  @inlinable public subscript(index: Int) -> Scalar {
    get {
      assert(index >= 0 && index < count, "index \(index) outside 0..<\(count)")
      return pointer[index]
    }
    nonmutating set {
      assert(index >= 0 && index < count, "index \(index) outside 0..<\(count)")
      pointer[index] = newValue
    }
  }

  public var array: [Scalar] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  func initialize(from values: [Scalar]) {
    values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      pointer.update(from: base, count: source.count)
    }
  }
}
