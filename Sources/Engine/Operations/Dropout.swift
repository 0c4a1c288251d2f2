public import Kernels
public import NumberFormats

/// Elements become zero with a probability, the others are divided by what is left of one.
///
/// The mask is a function of ``bits`` and the element's number alone: the backward makes it again, on any device.
///
/// - SeeAlso: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
public struct Dropout: DifferentiableOperation {
  public static let name = "dropout"
  /// In [0, 1).
  public let probability: Double
  public let bits: RoundingBits

  /// - Precondition: The probability is in [0, 1).
  public init(probability: Double, bits: RoundingBits) {
    precondition(probability >= 0 && probability < 1, "a probability of \(probability)")
    self.probability = probability
    self.bits = bits
  }

  /// Elements whose random bits are below become zero.
  private var threshold: UInt32 { UInt32(min(probability * 0x1p32, 0xFFFF_FFFF)) }

  /// What the others are multiplied with.
  private var factor: Float { Float(1 / (1 - probability)) }

  public var signature: String { "x [...] > y [...]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in 0..<outputs[0].shape.count {
      let isDropped = bits.bits(UInt32(truncatingIfNeeded: index)) < threshold
      outputs[0][index] = isDropped ? 0 : inputs[0][index] * Scalar(factor)
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let (threshold, factor, bits) = (threshold, factor, bits)
    device.threads.forRanges(x.count, grain: 16_384) { range in
      for index in range {
        let isDropped = bits.bits(UInt32(truncatingIfNeeded: index)) < threshold
        y[index] = isDropped ? 0 : x[index] * factor
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    guard count > 0 else { return }
    let lanes = device.description.lanes(atMost: 128)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt32, UInt32, UInt32, Float, UInt32> =
      try device.kernel("dropout", in: "dropout", ["LANES": "\(lanes)"])
    // Elements of a processor's work-item.
    let block = lanes == 1 ? 16_384 : lanes
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt64(count), bits.first, bits.second, threshold,
      factor, UInt32(block), over: .groups((count + block - 1) / block))
  }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    context.add(context.tape.apply(self, [cotangent])[0], to: 0)
  }

  public static var samples: [Sample] {
    let shapes: [Shape] = [[1], [5, 3], [4, 7, 19], [3, 16_400]]
    return shapes.map {
      Sample("\($0) 0.3", Dropout(probability: 0.3, bits: RoundingBits(seed: 4, step: 1)), [.init($0)])
    } + [Sample("0", Dropout(probability: 0, bits: RoundingBits(seed: 4)), [.init([33])])]
  }
}
