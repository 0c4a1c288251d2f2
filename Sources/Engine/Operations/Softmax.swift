import CHost
public import Kernels

/// Softmax over the last axis: `y = exp(x - max x) / sum exp(x - max x)`.
///
/// Inputs: x [..., dim]. Outputs: y [..., dim].
public struct Softmax: DifferentiableOperation {
  public static let name = "softmax"

  public init() {}

  public var signature: String { "x [..., dim] > y [..., dim]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard inputs[0].shape.last > 0 else {
      throw ShapeError(
        operation: Self.name, expected: signature, problem: "'dim' is 0 in x \(inputs[0])")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let values = inputs[0].values[row * dim..<(row + 1) * dim]
      let maximum = values.reduce(-.infinity) { max($0, $1) }
      let weights = values.map { Scalar.exp($0 - maximum) }
      let sum = weights.reduce(0, +)
      for column in 0..<dim { outputs[0][row * dim + column] = weights[column] / sum }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let dim = inputs[0].shape.last
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 32_768 / dim)) { range in
      let start = range.lowerBound * dim
      nibble_softmax_forward(x.pointer + start, y.pointer + start, range.count, dim)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    guard launch.rows > 0 else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32> =
      try device.kernel("softmax", in: "softmax", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(launch.rows), UInt32(launch.dim),
      UInt32(launch.block), over: launch.geometry)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(
      flops: 4 * Double(inputs[0].shape.count), bytes: Double(inputs[0].byteCount + outputs[0].byteCount))
  }

  public var saved: SavedTensors { SavedTensors(outputs: [0]) }

  public func backward(_ context: GradientContext) {
    guard let dy = context.cotangent(0) else { return }
    context.add(context.tape.apply(SoftmaxGradient(), [context.output(0), dy])[0], to: 0)
  }

  public static var samples: [Sample] {
    [(1, 1), (3, 7), (17, 16), (5, 64), (2, 307), (1, 1030)].map { rows, dim in
      Sample("\(rows)x\(dim)", Softmax(), [.init([rows, dim])])
    } + [
      Sample("heads", Softmax(), [.init([2, 3, 2, 12])]),
      Sample(
        "large", Softmax(),
        [.init([2, 4], .float32, .values([500, 499, -500, 501, -300, -301, -302, -900]))]),
    ]
  }
}

/// The gradient of ``Softmax`` from its result: `dx = y (dy - sum y dy)`.
struct SoftmaxGradient: Operation {
  static let name = "softmax_gradient"

  var signature: String { "y [..., dim], dy [..., dim] > dx [..., dim]" }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try Softmax().validate(inputs) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let indices = row * dim..<(row + 1) * dim
      let along = indices.reduce(0) { $0 + inputs[0][$1] * inputs[1][$1] }
      for index in indices { outputs[0][index] = inputs[0][index] * (inputs[1][index] - along) }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let y = HostArray<Float>(inputs[0].memory), let dy = HostArray<Float>(inputs[1].memory),
      let dx = HostArray<Float>(outputs[0].memory)
    else { return }
    let dim = inputs[0].shape.last
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 65_536 / dim)) { range in
      let start = range.lowerBound * dim
      nibble_softmax_backward(y.pointer + start, dy.pointer + start, dx.pointer + start, range.count, dim)
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    guard launch.rows > 0 else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32> =
      try device.kernel("softmax_backward", in: "softmax", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), UInt32(launch.rows),
      UInt32(launch.dim), UInt32(launch.block), over: launch.geometry)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 4 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  static var samples: [Sample] {
    [(1, 1), (3, 7), (17, 16), (2, 307)].map { rows, dim in
      Sample("\(rows)x\(dim)", SoftmaxGradient(), [.init([rows, dim]), .init([rows, dim])])
    }
  }
}

extension Tape {
  /// Softmax over the last axis; see ``Softmax``.
  ///
  /// - Parameter x: [..., dim].
  public func softmax(_ x: Tensor) -> Tensor { apply(Softmax(), [x])[0] }
}
