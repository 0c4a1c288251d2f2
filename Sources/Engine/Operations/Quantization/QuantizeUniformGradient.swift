import CHost
public import Kernels
import NumberFormats

/// The gradients of a learned step size: see ``QuantizeUniform``.
///
/// Inputs: x [rows, columns], scale, dy [rows, columns]. Outputs: dx [rows, columns], dscale like the scales.
public struct QuantizeUniformGradient: Operation {
  public static let name = "quantize_uniform_gradient"
  public let quantizer: UniformQuantizer

  /// - Precondition: The grid has a level at zero.
  public init(_ quantizer: UniformQuantizer) {
    precondition(quantizer.grid.offset == 0, "a mid-rise grid has no gradient of its own")
    self.quantizer = quantizer
  }

  public var signature: String {
    "x [rows, columns], scale [bands, groups], dy [rows, columns] > dx [rows, columns], dscale [bands, groups]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try QuantizeUniform.check(inputs, quantizer.groups, Self.name, signature)
  }

  /// `1 / sqrt(largest code x numbers of a scale)`: the scale's steps are as long, relative to it, as the weights'.
  private func factor(rows: Int, columns: Int) -> Double {
    let count = quantizer.groups.count(rows: rows, columns: columns)
    return 1 / (Double(quantizer.grid.largest) * Double(max(1, count))).squareRoot()
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1])
    let grid = quantizer.grid
    var sums = [Scalar](repeating: 0, count: outputs[1].shape.count)
    for index in 0..<inputs[0].shape.count {
      let place = quantizer.groups.scale(of: index, columns: columns)
      let scale = UniformGrid.held(Float(inputs[1][place]))
      let position = grid.position(of: Float(inputs[0][index]), scale: scale)
      let isInside = position >= Float(grid.smallest) && position <= Float(grid.largest)
      outputs[0][index] = isInside ? inputs[2][index] : 0
      sums[place] += inputs[2][index] * Scalar(grid.code(at: position) - (isInside ? position : 0))
    }
    let factor = Scalar(factor(rows: rows, columns: columns))
    outputs[1].values = sums.map { $0 * factor }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = UniformLaunch(inputs[0], quantizer.groups)
    let isShared = quantizer.groups.isShared
    let parts = isShared ? device.allocate(launch.rows, of: .float32) : outputs[1].memory
    guard let x = HostArray<Float>(inputs[0].memory), let scale = HostArray<Float>(inputs[1].memory),
      let dy = HostArray<Float>(inputs[2].memory), let dx = HostArray<Float>(outputs[0].memory),
      let sums = HostArray<Float>(parts), let total = HostArray<Float>(outputs[1].memory)
    else { return }
    let (grid, factor) = (quantizer.grid.host, Float(factor(rows: launch.rows, columns: launch.columns)))
    launch.forGroups(on: device) { start, count, place in
      let scale = UniformGrid.held(scale[isShared ? 0 : place])
      let sum = withUnsafePointer(to: grid) {
        nibble_uniform_gradient(x.pointer + start, dy.pointer + start, dx.pointer + start, count, scale, $0)
      }
      sums[place] = sum * factor
    }
    if isShared { total[0] = Float((0..<launch.rows).reduce(0.0) { $0 + Double(sums[$1]) }) }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = UniformLaunch(inputs[0], quantizer.groups)
    let isShared = quantizer.groups.isShared
    guard inputs[0].shape.count > 0 else { return device.zero(outputs[1].memory) }
    let parts = isShared ? device.allocate(launch.rows, of: .float32) : outputs[1].memory
    let lanes = launch.lanes(device)
    let kernel: UntypedKernel = try device.untypedKernel(
      "uniform_gradient", in: "uniform", ["LANES": "\(lanes)"])
    let grid = quantizer.grid
    kernel(
      [
        Buffer<Float>(inputs[0].memory), Buffer<Float>(inputs[1].memory), Buffer<Float>(inputs[2].memory),
        Buffer<Float>(outputs[0].memory), Buffer<Float>(parts), UInt64(launch.rows), UInt32(launch.columns),
        UInt32(launch.width), UInt32(isShared ? 1 : 0), Float(grid.smallest), Float(grid.largest),
        Float(factor(rows: launch.rows, columns: launch.columns)), UInt32(launch.block(lanes)),
      ], over: .groups(launch.blocks(lanes)))
    if isShared { try DeviceSum().enqueue(on: device, parts, to: outputs[1].memory) }
  }

  public static var samples: [Sample] {
    UniformSamples.all.filter { $0.grid.offset == 0 }.map { sample in
      sample.sample("", others: [.init([sample.rows, sample.columns])]) { QuantizeUniformGradient($0) }
    }
  }
}
