public import Kernels

/// Sum over the middle axis: [rows, parts, columns] to [rows, columns].
///
/// The gradient of something that several heads share.
public struct SumParts: Operation {
  public static let name = "sum_parts"

  public init() {}

  public var signature: String { "x [rows, parts, columns] > y [rows, columns]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (parts, columns) = (inputs[0].shape[1], inputs[0].shape[2])
    for index in 0..<outputs[0].shape.count {
      let first = index / columns * parts * columns + index % columns
      outputs[0][index] = (0..<parts).reduce(Scalar(0)) { $0 + inputs[0][first + $1 * columns] }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let (rows, parts, columns) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
    device.threads.forRanges(rows, grain: max(1, 32_768 / max(1, parts * columns))) { range in
      for row in range {
        let (source, target) = (x.pointer + row * parts * columns, y.pointer + row * columns)
        target.update(from: source, count: columns)
        for part in 1..<parts {
          for column in 0..<columns { target[column] += source[part * columns + column] }
        }
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, parts, columns) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
    let lanes = device.description.lanes(atMost: 128)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32, UInt32> = try device.kernel(
      "sum_parts", in: "reduce", ["LANES": "\(lanes)"])
    // Elements of a work-item: neighbours where it works alone.
    let share = lanes == 1 ? 4096 : 4
    let count = rows * columns
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt64(count), UInt32(parts), UInt32(columns),
      UInt32(share), over: .groups((count + share * lanes - 1) / (share * lanes)))
  }

  public static var samples: [Sample] {
    [[1, 1, 1], [3, 2, 5], [7, 4, 33], [2, 3, 2050]].map { Sample("\($0)", SumParts(), [.init(Shape($0))]) }
  }
}
