import CHost
import Kernels

/// Sizes of one launch of a family whose channels lie side by side (`kernels/channels.cl`).
struct ChannelLaunch {
  /// Work-items of a group; 1 on processors.
  let lanes: Int
  /// Channels of a work-item.
  let wide: Int
  let batch: Int
  /// Blocks of channels.
  let across: Int

  /// Channels of a work-group.
  var width: Int { lanes * wide }
  /// One group per sequence and block of channels.
  var groups: Int { batch * across }

  private init(_ x: Shape, lanes: Int, wide: Int) {
    self.lanes = lanes
    self.wide = wide
    batch = x[0]
    across = (x[2] + lanes * wide - 1) / (lanes * wide)
  }

  /// - Parameter x: [batch, time, channels].
  init(_ x: Shape, on device: OpenCLDevice) {
    let lanes = device.description.lanes(atMost: 32)
    self.init(x, lanes: lanes, wide: lanes > 1 ? 1 : device.description.nativeFloatWidth >= 16 ? 16 : 8)
  }

  /// On the host: as many channels as a vector has floats.
  static func host(_ x: Shape) -> Self { Self(x, lanes: 1, wide: Int(nibble_mixer_vector())) }

  var definitions: [String: String] { ["LANES": "\(lanes)", "WIDE": "\(wide)"] }
}

/// The float arrays of an operation on the host, by position.
struct FloatArrays: @unchecked Sendable {
  // Threads write to disjoint elements; the operation keeps the memory alive.
  private let pointers: [UnsafeMutablePointer<Float>?]

  /// Absent operands stay absent; nil when an allocation failed (the failure is latched in the device).
  init?(_ memories: [Memory?]) {
    pointers = memories.map { $0.flatMap { HostArray<Float>($0)?.pointer } }
    guard zip(memories, pointers).allSatisfy({ ($0 == nil) == ($1 == nil) }) else { return nil }
  }

  /// An operand that is always there.
  subscript(index: Int) -> UnsafeMutablePointer<Float> {
    guard let pointer = pointers[index] else { preconditionFailure("operand \(index) is absent") }
    return pointer
  }

  func optional(_ index: Int) -> UnsafeMutablePointer<Float>? { pointers[index] }
}
