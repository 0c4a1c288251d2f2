import CHost
public import Kernels
public import NumberFormats

/// Values rounded to the nearest BF16, and what of them is stored.
///
/// Inputs: x [...]. Outputs: y [...], which may take x's place; packed: bfloat16 [...], the same values in two bytes.
public struct RoundToBFloat16: Operation {
  public static let name = "round_bfloat16"
  public static let comparison = OutputComparison.exact
  let packs: Bool

  public init(packs: Bool) { self.packs = packs }

  public var signature: String { "x [...] > y [...]" + (packs ? ", packed: bfloat16 [...]" : "") }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in inputs[0].values.indices {
      let value = Scalar(BFloat16(Float(inputs[0][index])).float)
      outputs[0][index] = value
      if packs { outputs[1][index] = value }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let packed = packs ? HostArray<BFloat16>(outputs[1].memory) : nil
    device.threads.forRanges(x.count, grain: BFloat16Launch.share) { range in
      let start = range.lowerBound
      // Before y, which may be x, and whose values are the same.
      if let packed { nibble_pack_bfloat16(x.pointer + start, packed.halves + start, range.count) }
      nibble_round_bfloat16(x.pointer + start, y.pointer + start, range.count)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let launch = BFloat16Launch(inputs[0].shape.count, on: device) else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<BFloat16>, UInt64, UInt32> =
      try device.kernel("round_bfloat16", in: "bfloat16", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), Buffer(packs ? outputs[1].memory : nil),
      launch.count, launch.block, over: launch.geometry)
  }

  public static var samples: [Sample] {
    BFloat16Launch.inputs.flatMap { label, input in
      [
        Sample(label, RoundToBFloat16(packs: false), [input]),
        Sample("\(label) packed", RoundToBFloat16(packs: true), [input]),
      ]
    }
  }
}

/// Values in two bytes, rounded to nearest even or stochastically.
///
/// Inputs: x [...]. Outputs: packed: bfloat16 [...]. Stochastically a value goes up with the probability of its place between its
/// neighbours, so that sums of many small changes are kept in the mean.
public struct PackBFloat16: Operation {
  public static let name = "pack_bfloat16"
  public static let comparison = OutputComparison.exact
  let randomness: RoundingBits?

  /// - Parameter randomness: Of stochastic rounding; nil rounds to nearest even.
  public init(randomness: RoundingBits? = nil) { self.randomness = randomness }

  public var signature: String { "x [...] > packed: bfloat16 [...]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in inputs[0].values.indices {
      let rounding = randomness?.rounding(index) ?? .nearestEven
      let code = FloatFormat.bf16.encode(Float(inputs[0][index]), rounding, overflow: .ieee)
      outputs[0][index] = Scalar(BFloat16(bits: UInt16(code)).float)
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let packed = HostArray<BFloat16>(outputs[0].memory)
    else { return }
    let randomness = randomness
    device.threads.forRanges(x.count, grain: BFloat16Launch.share) { range in
      let (source, target) = (x.pointer + range.lowerBound, packed.halves + range.lowerBound)
      guard let randomness else { return nibble_pack_bfloat16(source, target, range.count) }
      nibble_pack_bfloat16_by_chance(
        source, target, range.count, UInt32(truncatingIfNeeded: range.lowerBound), randomness.first,
        randomness.second)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let launch = BFloat16Launch(inputs[0].shape.count, on: device) else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<BFloat16>, UInt64, UInt32, UInt32, UInt32, UInt32> =
      try device.kernel("pack_bfloat16", in: "bfloat16", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), launch.count, randomness == nil ? 0 : 1,
      randomness?.first ?? 0, randomness?.second ?? 0, launch.block, over: launch.geometry)
  }

  public static var samples: [Sample] {
    BFloat16Launch.inputs.flatMap { label, input in
      [
        Sample(label, PackBFloat16(), [input]),
        Sample("\(label) stochastic", PackBFloat16(randomness: RoundingBits(seed: 9)), [input]),
      ]
    }
  }
}

/// The floats of values in two bytes; exact.
///
/// Inputs: packed: bfloat16 [...]. Outputs: x [...].
public struct WidenBFloat16: Operation {
  public static let name = "widen_bfloat16"
  public static let comparison = OutputComparison.exact

  public init() {}

  public var signature: String { "packed: bfloat16 [...] > x [...]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    outputs[0].values = inputs[0].values
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let packed = HostArray<BFloat16>(inputs[0].memory), let x = HostArray<Float>(outputs[0].memory)
    else { return }
    device.threads.forRanges(x.count, grain: BFloat16Launch.share) { range in
      nibble_widen_bfloat16(packed.halves + range.lowerBound, x.pointer + range.lowerBound, range.count)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let launch = BFloat16Launch(inputs[0].shape.count, on: device) else { return }
    let kernel: Kernel<Buffer<BFloat16>, Buffer<Float>, UInt64, UInt32> =
      try device.kernel("widen_bfloat16", in: "bfloat16", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), launch.count, launch.block, over: launch.geometry)
  }

  public static var samples: [Sample] {
    BFloat16Launch.inputs.map { label, input in
      Sample(label, WidenBFloat16(), [.init(input.type.shape, .bfloat16, input.fill)])
    }
  }
}

/// What the three share: how elements are divided among work-items.
private struct BFloat16Launch {
  /// Elements of a processor's work-item.
  static let share = 16_384

  let definitions: [String: String]
  let count: UInt64
  let block: UInt32
  let geometry: Geometry

  /// Nil when there is nothing to do.
  init?(_ count: Int, on device: OpenCLDevice) {
    guard count > 0 else { return nil }
    let lanes = device.description.lanes(atMost: 128)
    let block = lanes == 1 ? Self.share : lanes
    definitions = ["LANES": "\(lanes)"]
    (self.count, self.block) = (UInt64(count), UInt32(block))
    geometry = .groups((count + block - 1) / block)
  }

  /// Ties to either side, numbers that round up to a power of two and to infinity, subnormal ones, zeros, and NaN of both signs.
  private static let edges: [Float] = [
    0, -0.0, 1, 1.00390625, 1.01171875, -1.00390625, 1.998, 3.3961776e38, -3.4028235e38, .infinity,
    -.infinity, .nan, Float(bitPattern: 0xFFFF_FFFF), Float(bitPattern: 0x7F80_0001),
    Float(bitPattern: 0x0001_16C2), -.leastNonzeroMagnitude, .leastNormalMagnitude.nextDown,
    Float(bitPattern: 0x0000_8000), Float(bitPattern: 0x0001_8000), Float(bitPattern: 0x3F80_8001),
  ]

  static var inputs: [(label: String, input: Sample.Input)] {
    [
      ("edges", .init([edges.count], .float32, .values(edges))),
      ("one", .init([1], .float32, .values([0.1]))),
      ("37", .init([37])), ("3 x 11000", .init([3, 11_000], .float32, .normal(deviation: 20))),
    ]
  }
}

extension HostArray<BFloat16> {
  /// The patterns.
  fileprivate var halves: UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt16.self)
  }
}
