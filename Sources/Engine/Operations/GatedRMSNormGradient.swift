import CHost
import Kernels

/// The fused backward of ``GatedRMSNorm``: dx, dgate and, per block of rows, the weight's gradient, which ``SumRows``
/// adds up.
struct GatedRMSNormGradient: Operation {
  static let name = "gated_rms_norm_gradient"
  let forward: GatedRMSNorm
  /// Rows of one partial sum.
  ///
  /// Part of the result's order of additions: a function of the shape alone.
  let blockRows: Int
  let blocks: Int

  init(of forward: GatedRMSNorm, x: Shape) {
    self.forward = forward
    blockRows = max(16, 8192 / max(1, x.last))
    blocks = (x.rows + blockRows - 1) / blockRows
  }

  var signature: String {
    "x [..., dim], gate [..., dim], weight [dim], rstd [...], dy [..., dim]"
      + " > dx [..., dim], dgate [..., dim], dweight [\(blocks), dim]"
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try forward.validate(inputs)
    let expected = GatedRMSNormGradient(of: forward, x: inputs[0].shape)
    guard expected.blockRows == blockRows, expected.blocks == blocks else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "x \(inputs[0]) has \(expected.blocks) blocks of \(expected.blockRows) rows")
    }
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (dim, isGateFirst) = (inputs[0].shape.last, forward.order == .gateThenNorm)
    outputs[2].values = [Scalar](repeating: 0, count: outputs[2].values.count)
    for row in 0..<inputs[0].shape.rows {
      let start = row * dim
      let gates = (0..<dim).map { forward.activated(inputs[1][start + $0]) }
      let h = (0..<dim).map { inputs[0][start + $0] * (isGateFirst ? gates[$0].value : 1) * inputs[3][row] }
      let weighted = (0..<dim).map { inputs[4][start + $0] * inputs[2][$0] }
      let u = (0..<dim).map { isGateFirst ? weighted[$0] : weighted[$0] * gates[$0].value }
      let along = zip(u, h).reduce(0) { $0 + $1.0 * $1.1 } / Scalar(dim)
      for column in 0..<dim {
        let dz = inputs[3][row] * (u[column] - h[column] * along)
        let gate = gates[column]
        outputs[0][start + column] = isGateFirst ? dz * gate.value : dz
        outputs[1][start + column] =
          gate.slope * (isGateFirst ? dz * inputs[0][start + column] : weighted[column] * h[column])
        outputs[2][row / blockRows * dim + column] +=
          inputs[4][start + column] * h[column] * (isGateFirst ? 1 : gate.value)
      }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let gate = HostArray<Float>(inputs[1].memory),
      let weight = HostArray<Float>(inputs[2].memory), let rstd = HostArray<Float>(inputs[3].memory),
      let dy = HostArray<Float>(inputs[4].memory), let dx = HostArray<Float>(outputs[0].memory),
      let dgate = HostArray<Float>(outputs[1].memory), let dweight = HostArray<Float>(outputs[2].memory)
    else { return }
    let (rows, dim) = (inputs[0].shape.rows, inputs[0].shape.last)
    device.threads.forRanges(blocks, grain: max(1, 32_768 / (dim * blockRows))) { range in
      for block in range {
        let row = block * blockRows
        let start = row * dim
        nibble_gated_norm_backward(
          x.pointer + start, gate.pointer + start, weight.pointer, rstd.pointer + row, dy.pointer + start,
          dx.pointer + start, dgate.pointer + start, dweight.pointer + block * dim,
          forward.order == .gateThenNorm ? 1 : 0, forward.gate == .silu ? 1 : 0, min(blockRows, rows - row),
          dim)
      }
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, block: blockRows, on: device)
    typealias Operand = Buffer<Float>
    let kernel:
      Kernel<
        Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand, UInt32, UInt32, UInt32
      > = try device.kernel("gated_rms_norm_backward", in: "gated_rms_norm", forward.definitions(launch))
    guard launch.rows > 0 else { return }
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(inputs[3].memory),
      Buffer(inputs[4].memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory),
      Buffer(outputs[2].memory), UInt32(launch.rows), UInt32(launch.dim), UInt32(blockRows),
      over: launch.geometry)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 22 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  static var samples: [Sample] {
    GatedRMSNorm.Order.allCases.flatMap { order in
      [(1, 1), (3, 7), (2100, 4), (18, 290)].map { rows, dim in
        let forward = GatedRMSNorm(order: order, epsilon: 1e-5)
        let matrix = Sample.Input([rows, dim])
        return Sample(
          "\(order.rawValue) \(rows)x\(dim)", GatedRMSNormGradient(of: forward, x: [rows, dim]),
          [matrix, matrix, .init([dim]), .init([rows], .float32, .uniform(0.5...2)), matrix])
      }
    }
  }
}
