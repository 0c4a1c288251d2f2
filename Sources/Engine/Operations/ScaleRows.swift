import CHost
public import Kernels

/// Every row times a number of its own: `y[r, :] = x[r, :] factor[r]`.
public struct ScaleRows: DifferentiableOperation {
  public static let name = "scale_rows"

  public init() {}

  public var signature: String { "x [rows, dim], factor [rows] > y [rows, dim]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape[1]
    for index in 0..<outputs[0].shape.count { outputs[0][index] = inputs[0][index] * inputs[1][index / dim] }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let factor = HostArray<Float>(inputs[1].memory),
      let y = HostArray<Float>(outputs[0].memory)
    else { return }
    let dim = inputs[0].shape[1]
    device.threads.forRanges(inputs[0].shape[0], grain: max(1, 32_768 / max(1, dim))) { range in
      for row in range {
        (y.pointer + row * dim).update(from: x.pointer + row * dim, count: dim)
        nibble_row_scale(y.pointer + row * dim, dim, factor[row])
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try RowProductLaunch("scale_rows", inputs[0].shape).enqueue(
      on: device, inputs[0].memory, inputs[1].memory, outputs[0].memory)
  }

  public var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    if context.needs(0) {
      context.add(context.tape.apply(ScaleRows(), [cotangent, context.input(1)])[0], to: 0)
    }
    if context.needs(1) {
      context.add(context.tape.apply(RowDots(), [cotangent, context.input(0)])[0], to: 1)
    }
  }

  public static var samples: [Sample] {
    RowProductLaunch.shapes.map { Sample("\($0)", ScaleRows(), [.init($0), .init([$0[0]])]) }
  }
}

/// The scalar product of every pair of rows: `y[r] = sum_j a[r, j] b[r, j]`.
public struct RowDots: DifferentiableOperation {
  public static let name = "row_dots"

  public init() {}

  public var signature: String { "a [rows, dim], b [rows, dim] > y [rows]" }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 2 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape[1]
    for row in 0..<inputs[0].shape[0] {
      outputs[0][row] = (0..<dim).reduce(Scalar(0)) {
        $0 + inputs[0][row * dim + $1] * inputs[1][row * dim + $1]
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let a = HostArray<Float>(inputs[0].memory), let b = HostArray<Float>(inputs[1].memory),
      let y = HostArray<Float>(outputs[0].memory)
    else { return }
    let dim = inputs[0].shape[1]
    device.threads.forRanges(inputs[0].shape[0], grain: max(1, 32_768 / max(1, dim))) { range in
      for row in range { y[row] = nibble_dot(a.pointer + row * dim, b.pointer + row * dim, dim) }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try RowProductLaunch("row_dots", inputs[0].shape).enqueue(
      on: device, inputs[0].memory, inputs[1].memory, outputs[0].memory)
  }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    for (position, other) in [(0, 1), (1, 0)] where context.needs(position) {
      context.add(context.tape.apply(ScaleRows(), [context.input(other), cotangent])[0], to: position)
    }
  }

  public static var samples: [Sample] {
    RowProductLaunch.shapes.map { Sample("\($0)", RowDots(), [.init($0), .init($0)]) }
  }
}

/// A launch of `kernels/row_products.cl`.
private struct RowProductLaunch {
  static let shapes: [Shape] = [[1, 1], [5, 3], [9, 16], [3, 70], [2, 1029]]

  let kernel: String
  let rows: Int
  let dim: Int

  init(_ kernel: String, _ shape: Shape) {
    self.kernel = kernel
    (rows, dim) = (shape[0], shape[1])
  }

  func enqueue(on device: OpenCLDevice, _ x: Memory, _ other: Memory, _ y: Memory) throws {
    guard rows > 0 else { return }
    let configuration = device.configuration(
      RowConfiguration.self, for: RowConfiguration.problem(length: dim))
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32> =
      try device.kernel(
        self.kernel, in: "row_products", ["LANES": "\(configuration.lanes)"])
    let block = configuration.lanes == 1 ? max(1, 16_384 / max(1, dim)) : 4
    kernel(
      Buffer(x), Buffer(other), Buffer(y), UInt64(rows), UInt32(dim), UInt32(block),
      over: .groups((rows + block - 1) / block))
  }
}

extension Tape {
  /// Rows over the last axis times one number each.
  ///
  /// - Parameters:
  ///   - x: [..., dim].
  ///   - factor: One number per row [...].
  public func scaleRows(_ x: Tensor, by factor: Tensor) -> Tensor {
    let dim = x.shape.last
    let rows = dim > 0 ? x.shape.count / dim : 0
    return apply(ScaleRows(), [x.reshaped(to: [rows, dim]), factor.reshaped(to: [rows])])[0].reshaped(
      to: x.shape)
  }

  /// Scalar products of the rows of `a` and `b` [..., dim] over the last axis: [...].
  public func rowDots(_ a: Tensor, _ b: Tensor) -> Tensor {
    let dim = a.shape.last
    let rows = dim > 0 ? a.shape.count / dim : 0
    return apply(RowDots(), [a.reshaped(to: [rows, dim]), b.reshaped(to: [rows, dim])])[0]
      .reshaped(to: Shape(Array(a.shape.dimensions.dropLast())))
  }
}
