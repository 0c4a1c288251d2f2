import CHost
import Kernels

/// The gradient of ``HedgehogFeatures`` from its input and its result.
struct HedgehogFeaturesGradient: Operation {
  static let name = "hedgehog_features_gradient"
  let forward: HedgehogFeatures

  init(of forward: HedgehogFeatures) { self.forward = forward }

  private var width: Int { forward.width }

  var signature: String {
    "y [..., \(width)], z [..., \(2 * width)], dz [..., \(2 * width)] > dy [..., \(width)]"
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try forward.validate(inputs) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let kind = forward.kind
    let isSoftmax = kind == .softmaxHalves || kind == .softmaxJoint
    for row in 0..<inputs[0].shape.rows {
      let y = Array(inputs[0].values[row * width..<(row + 1) * width])
      let products = (0..<2 * width).map { column -> Scalar in
        let z = inputs[1][row * 2 * width + column]
        let isHeld = kind == .softmaxHalves && z <= Scalar(HedgehogFeatures.floor)
        return isHeld ? 0 : z * inputs[2][row * 2 * width + column]
      }
      var along = products[..<width].reduce(0, +)
      var negative = products[width...].reduce(0, +)
      if kind == .softmaxJoint { (along, negative) = (along + negative, along + negative) }
      let (top, bottom) = (y.max() ?? 0, y.min() ?? 0)
      let (tops, bottoms) = (y.count { $0 == top }, y.count { $0 == bottom })
      for column in 0..<width {
        let z = (inputs[1][row * 2 * width + column], inputs[1][row * 2 * width + width + column])
        var value = products[column] - products[width + column]
        if isSoftmax { value += negative * z.1 - along * z.0 }
        if kind == .expShifted, y[column] == top { value -= along / Scalar(tops) }
        if kind == .expShifted, y[column] == bottom { value += negative / Scalar(bottoms) }
        outputs[0][row * width + column] = kind == .softmaxJoint ? 2 * value : value
      }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let y = HostArray<Float>(inputs[0].memory), let z = HostArray<Float>(inputs[1].memory),
      let dz = HostArray<Float>(inputs[2].memory), let dy = HostArray<Float>(outputs[0].memory)
    else { return }
    let (width, kind) = (width, forward.kind)
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 16_384 / width)) { range in
      let start = range.lowerBound * width
      withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { scratch in
        guard let scratch = scratch.baseAddress else { return }
        nibble_hedgehog_backward(
          y.pointer + start, z.pointer + 2 * start, dz.pointer + 2 * start, dy.pointer + start, scratch,
          kind.number, range.count, width)
      }
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    guard launch.rows > 0 else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32> =
      try device.kernel("hedgehog_backward", in: "hedgehog", forward.definitions(launch))
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(outputs[0].memory), UInt32(launch.rows), UInt32(launch.dim), UInt32(launch.block),
      over: launch.geometry)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 10 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  static var samples: [Sample] {
    HedgehogFeatures.Kind.allCases.flatMap { kind in
      [(3, 7), (17, 16), (2, 307)].map { rows, width in
        Sample(
          "\(kind.rawValue) \(rows)x\(width)",
          HedgehogFeaturesGradient(of: HedgehogFeatures(kind, width: width)),
          [
            .init([rows, width]), .init([rows, 2 * width], .float32, .uniform(0.01...1)),
            .init([rows, 2 * width]),
          ])
      }
    } + [
      // Two largest values.
      Sample(
        "exp_shifted ties", HedgehogFeaturesGradient(of: HedgehogFeatures(.expShifted, width: 4)),
        [
          .init([1, 4], .float32, .values([2, -1, 2, 0])), .init([1, 8], .float32, .uniform(0.01...1)),
          .init([1, 8]),
        ])
    ]
  }
}
