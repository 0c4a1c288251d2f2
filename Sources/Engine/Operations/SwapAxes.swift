public import Kernels

/// Exchanges the two middle axes: [batch, rows, columns, dim] to [batch, columns, rows, dim].
///
/// With tokens as rows and heads as columns, what belongs to one head comes to lie together; the same operation leads
/// back.
public struct SwapAxes: DifferentiableOperation {
  public static let name = "swap_axes"

  public init() {}

  public var signature: String { "x [batch, rows, columns, dim] > y [batch, columns, rows, dim]" }

  /// The row of x that becomes row `row` of y, both counted over all leading axes.
  private static func source(_ row: Int, _ x: Shape) -> Int {
    let line = row / x[1]
    return (line / x[2] * x[1] + row % x[1]) * x[2] + line % x[2]
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let source = Self.source(row, inputs[0].shape)
      for column in 0..<dim { outputs[0][row * dim + column] = inputs[0][source * dim + column] }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let (shape, dim) = (inputs[0].shape, inputs[0].shape.last)
    device.threads.forRanges(shape.rows, grain: max(1, 16_384 / max(1, dim))) { range in
      for row in range {
        (y.pointer + row * dim).update(from: x.pointer + Self.source(row, shape) * dim, count: dim)
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = inputs[0].shape
    guard shape.count > 0 else { return }
    let lanes = device.description.lanes(atMost: 128)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32, UInt32, UInt32> =
      try device.kernel("swap_axes", in: "swap_axes", ["LANES": "\(lanes)"])
    // Rows of a processor's work-item.
    let block = max(1, 8192 / shape.last)
    let groups = lanes == 1 ? (shape.rows + block - 1) / block : (shape.count + lanes - 1) / lanes
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt64(shape.rows), UInt32(shape[1]),
      UInt32(shape[2]), UInt32(shape[3]), UInt32(block), over: .groups(groups))
  }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    context.add(context.tape.apply(SwapAxes(), [cotangent])[0], to: 0)
  }

  public static var samples: [Sample] {
    let shapes: [Shape] = [[1, 1, 1, 1], [2, 3, 4, 5], [1, 7, 2, 19], [3, 1, 5, 8], [1, 150, 3, 33]]
    return shapes.map { Sample("\($0)", SwapAxes(), [.init($0)]) }
  }
}
