import CHost
public import Kernels

/// A factor times the mean magnitude of every group: scales that follow from the numbers themselves (StatsQ), and what
/// learned ones start from.
///
/// Inputs: x [rows, columns]. Outputs: y as ``ScaleGroups/scales(rows:columns:)`` says.
public struct MeanMagnitude: Operation {
  public static let name = "mean_magnitude"
  public let groups: ScaleGroups
  public let factor: Double
  private let rows: Int
  private let columns: Int

  public init(_ groups: ScaleGroups, factor: Double = 1, rows: Int, columns: Int) {
    (self.groups, self.factor, self.rows, self.columns) = (groups, factor, rows, columns)
  }

  public var signature: String {
    let scales = groups.scales(rows: rows, columns: columns)
    return "x [\(rows), \(columns)] > y [\(scales[0]), \(scales[1])]"
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let count = outputs[0].shape.count
    var (sums, numbers) = ([Scalar](repeating: 0, count: count), [Int](repeating: 0, count: count))
    for index in 0..<inputs[0].shape.count {
      let place = groups.scale(of: index, columns: columns)
      sums[place] += abs(inputs[0][index])
      numbers[place] += 1
    }
    outputs[0].values = zip(sums, numbers).map { $0 * Scalar(factor) / Scalar(max(1, $1)) }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = UniformLaunch(inputs[0], groups)
    let parts = groups.isShared ? device.allocate(max(1, rows), of: .float32) : outputs[0].memory
    guard let x = HostArray<Float>(inputs[0].memory), let means = HostArray<Float>(parts),
      let total = HostArray<Float>(outputs[0].memory)
    else { return }
    let factor = Float(factor)
    launch.forGroups(on: device) { start, count, place in
      means[place] = nibble_sum_of_magnitudes(x.pointer + start, count) * (factor / Float(count))
    }
    guard groups.isShared else { return }
    total[0] = Float((0..<rows).reduce(0.0) { $0 + Double(means[$1]) } / Double(max(1, rows)))
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = UniformLaunch(inputs[0], groups)
    guard inputs[0].shape.count > 0 else { return device.zero(outputs[0].memory) }
    let parts = groups.isShared ? device.allocate(rows, of: .float32) : outputs[0].memory
    let lanes = launch.lanes(device)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32, Float, UInt32> =
      try device.kernel("mean_magnitude", in: "uniform", ["LANES": "\(lanes)"])
    kernel(
      Buffer(inputs[0].memory), Buffer(parts), UInt64(rows), UInt32(columns), UInt32(launch.width),
      Float(factor), UInt32(launch.block(lanes)), over: .groups(launch.blocks(lanes)))
    guard groups.isShared else { return }
    try DeviceSum(scale: 1 / Float(rows)).enqueue(on: device, parts, to: outputs[0].memory)
  }

  public static var samples: [Sample] {
    let shapes: [(ScaleGroups, Int, Int)] = [
      (.matrix, 7, 19), (.matrix, 300, 130), (.row, 5, 133), (.alongRow(64), 3, 256), (.alongRow(32), 6, 70),
    ]
    return shapes.map { groups, rows, columns in
      Sample(
        "\(groups) \(rows)x\(columns)", MeanMagnitude(groups, factor: 2, rows: rows, columns: columns),
        [.init([rows, columns])])
    }
  }
}
