import CHost
public import Kernels

/// Causal convolution of every channel with a filter as long as the sequence: `y_t = sum over s <= t of
/// filter_{t-s} x_s`.
///
/// Inputs: x [batch, time, channels], filter [time, channels]. Outputs: y like x. The direct sum of `time^2 / 2` products
/// per channel in register tiles: made for up to some hundred tokens; longer sequences are better served by a recurrence.
public struct LongConvolution: DifferentiableOperation {
  public static let name = "long_convolution"
  /// Runs against time, `y_s = sum over t >= s of filter_{t-s} x_t`: the transpose, which is the gradient.
  public let isReversed: Bool

  public init(isReversed: Bool = false) { self.isReversed = isReversed }

  /// Tokens or taps of one work-group.
  static let block = 32

  public var signature: String {
    "x [batch, time, channels], filter [time, channels] > y [batch, time, channels]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard inputs[0].shape.count > 0 else {
      throw ShapeError(operation: Self.name, expected: signature, problem: "an axis is empty: x \(inputs[0])")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (time, channels) = (inputs[0].shape[1], inputs[0].shape[2])
    for index in 0..<inputs[0].shape.count {
      let (t, channel) = (index / channels % time, index % channels)
      var sum: Scalar = 0
      for lag in 0...(isReversed ? time - 1 - t : t) {
        sum += inputs[1][lag * channels + channel] * inputs[0][index + (isReversed ? lag : -lag) * channels]
      }
      outputs[0][index] = sum
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let from = FloatArrays(inputs.map(\.memory)), let to = FloatArrays(outputs.map(\.memory)) else {
      return
    }
    let (time, channels) = (inputs[0].shape[1], inputs[0].shape[2])
    let blocks = (time + Self.block - 1) / Self.block
    device.threads.forGroups(ChannelLaunch.host(inputs[0].shape).groups * blocks) {
      nibble_long_convolution()(
        from[0], from[1], to[0], Int32(time), Int32(channels), Int32(Self.block), isReversed ? 1 : 0)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = ChannelLaunch(inputs[0].shape, on: device)
    let time = inputs[0].shape[1]
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32> =
      try device.kernel("long_convolution", in: "long_convolution", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), Int32(time),
      Int32(inputs[0].shape[2]), Int32(Self.block), isReversed ? 1 : 0,
      over: .groups(launch.groups * ((time + Self.block - 1) / Self.block)))
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let x = inputs[0].shape
    return Cost(flops: Double(x.count) * Double(x[1] + 1), moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }

  public func backward(_ context: GradientContext) {
    guard let dy = context.cotangent(0) else { return }
    let (x, filter) = (context.input(0), context.input(1))
    if context.needs(0) {
      context.add(context.tape.apply(LongConvolution(isReversed: !isReversed), [dy, filter])[0], to: 0)
    }
    guard context.needs(1) else { return }
    // Against time, x and dy change places.
    let operands = isReversed ? [dy, x] : [x, dy]
    context.add(context.tape.apply(LongConvolutionFilterGradient(), operands)[0], to: 1)
  }

  public static var samples: [Sample] {
    [(1, 1, 1), (2, 5, 3), (1, 34, 18), (2, 7, 33)].flatMap { batch, time, channels in
      [false, true].map { isReversed in
        Sample(
          "b\(batch) t\(time) c\(channels)\(isReversed ? " reversed" : "")",
          LongConvolution(isReversed: isReversed),
          [.init([batch, time, channels]), .init([time, channels])])
      }
    }
  }
}

/// The filter's gradient: `dfilter_l = sum over sequences and t >= l of dy_t x_{t-l}`.
struct LongConvolutionFilterGradient: Operation {
  static let name = "long_convolution_filter_gradient"

  var signature: String { "x [batch, time, channels], dy [batch, time, channels] > dfilter [time, channels]" }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try LongConvolution().validate(inputs) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let shape = inputs[0].shape
    for lag in 0..<shape[1] {
      for channel in 0..<shape[2] {
        var sum: Scalar = 0
        for sequence in 0..<shape[0] {
          for t in lag..<shape[1] {
            let place = (sequence * shape[1] + t) * shape[2] + channel
            sum += inputs[1][place] * inputs[0][place - lag * shape[2]]
          }
        }
        outputs[0][lag * shape[2] + channel] = sum
      }
    }
  }

  private func groups(_ launch: ChannelLaunch, _ x: Shape) -> Int {
    launch.across * ((x[1] + LongConvolution.block - 1) / LongConvolution.block)
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let from = FloatArrays(inputs.map(\.memory)), let to = FloatArrays(outputs.map(\.memory)) else {
      return
    }
    let shape = inputs[0].shape
    let (batch, time, channels) = (shape[0], shape[1], shape[2])
    device.threads.forGroups(groups(ChannelLaunch.host(shape), shape)) {
      nibble_long_convolution_filter()(
        from[0], from[1], to[0], Int32(batch), Int32(time), Int32(channels), Int32(LongConvolution.block))
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = inputs[0].shape
    let launch = ChannelLaunch(shape, on: device)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32> =
      try device.kernel("long_convolution_filter", in: "long_convolution", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), Int32(shape[0]),
      Int32(shape[1]), Int32(shape[2]), Int32(LongConvolution.block), over: .groups(groups(launch, shape)))
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    LongConvolution().cost(inputs, outputs)
  }

  static var samples: [Sample] {
    [(1, 1, 1), (2, 5, 3), (1, 34, 18)].map { batch, time, channels in
      let x = Sample.Input([batch, time, channels])
      return Sample("b\(batch) t\(time) c\(channels)", LongConvolutionFilterGradient(), [x, x])
    }
  }
}

extension Tape {
  /// Causal convolution with a filter as long as the sequence; see ``LongConvolution``.
  ///
  /// - Parameters:
  ///   - x: [batch, time, channels].
  ///   - filter: [time, channels].
  public func longConvolution(_ x: Tensor, filter: Tensor) -> Tensor {
    apply(LongConvolution(), [x, filter])[0]
  }
}
