import CHost
public import Kernels
import NumberFormats

/// The largest magnitude of a tensor, NaN where there is one: what a scale per tensor is made of.
///
/// Inputs: x [...]. Outputs: largest [1].
public struct LargestMagnitude: Operation {
  public static let name = "largest_magnitude"
  public static let comparison = OutputComparison.exact

  public init() {}

  public var signature: String { "x [...] > largest [1]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    outputs[0][0] = Scalar(inputs[0].values.map { Float($0) }.largestMagnitude)
  }

  /// Elements of a work-group.
  private static func range(_ count: Int) -> Int { max(16_384, (count / 256 + 15) / 16 * 16) }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    let range = Self.range(count)
    let groups = max(1, (count + range - 1) / range)
    let parts = device.allocate(groups, of: .float32)
    guard let x = HostArray<Float>(inputs[0].memory), let found = HostArray<Float>(parts),
      let largest = HostArray<Float>(outputs[0].memory)
    else { return }
    let kernel = nibble_largest_magnitude()
    device.threads.forRanges(groups, grain: 1) { some in
      for group in some {
        nibble_select_group(UInt(group))
        kernel(x.pointer, found.pointer, UInt32(count), UInt32(range))
      }
    }
    nibble_select_group(0)
    kernel(found.pointer, largest.pointer, UInt32(groups), UInt32(groups))
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32> = try device.kernel(
      "largest_magnitude", in: "quantize", QuantizationLaunch.definitions(device))
    let count = inputs[0].shape.count
    let range = Self.range(count)
    let groups = max(1, (count + range - 1) / range)
    guard groups > 1 else {
      return kernel(
        Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(count), UInt32(range), over: .groups(1))
    }
    let parts = device.allocate(groups, of: .float32)
    kernel(Buffer(inputs[0].memory), Buffer(parts), UInt32(count), UInt32(range), over: .groups(groups))
    kernel(Buffer(parts), Buffer(outputs[0].memory), UInt32(groups), UInt32(groups), over: .groups(1))
  }

  public static var samples: [Sample] {
    [(1, 1), (3, 7), (130, 133), (257, 300)].map { rows, columns in
      Sample("\(rows)x\(columns)", LargestMagnitude(), [.init([rows, columns])])
    } + [
      Sample("infinite", LargestMagnitude(), [.init([3], .float32, .values([1, -.infinity, 2]))]),
      Sample("zeros", LargestMagnitude(), [.init([5], .float32, .values([0, -0.0, 0, 0, 0]))]),
    ]
  }
}
