import CHost
import Kernels

/// Numbers in eight bits: blocks of 256 with the element of largest magnitude as scale, elements as places on a dynamic map.
///
/// Inputs: x [n], levels: int32 and thresholds (``DynamicMap/steps``). Outputs: codes: uint8 [n], scales [blocks]. Nearest values, the smaller
/// magnitude in the middle; without a sign nothing but zero becomes zero, since second moments divide. Blocks whose largest
/// magnitude is below 2^-126 are zeros, from 2^126 on NaN.
///
/// - SeeAlso: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022.
struct QuantizeDynamic: Operation {
  static let name = "quantize_dynamic"
  static let comparison = OutputComparison.exact
  static let blockSize = 256
  let map: DynamicMap
  let count: Int

  static func blocks(_ count: Int) -> Int { (count + blockSize - 1) / blockSize }

  var signature: String {
    "x [\(count)], levels: int32 [\(DynamicMap.stepCount)], thresholds [\(DynamicMap.stepCount)]"
      + " > codes: uint8 [\(count)], scales [\(Self.blocks(count))]"
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let thresholds = map.thresholds
    for block in 0..<Self.blocks(count) {
      let range = block * Self.blockSize..<min(count, (block + 1) * Self.blockSize)
      let values = range.map { Float(inputs[0][$0]) }
      let scale = map.scale(of: values)
      let codes = map.codes(of: values, scale: scale, thresholds)
      outputs[1][block] = Scalar(scale)
      for (index, code) in zip(range, codes) { outputs[0][index] = Scalar(code) }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let levels = HostArray<Int32>(inputs[1].memory),
      let thresholds = HostArray<Float>(inputs[2].memory),
      let codes = HostArray<UInt8>(outputs[0].memory), let scales = HostArray<Float>(outputs[1].memory)
    else { return }
    let (count, isSigned) = (count, map.isSigned)
    device.threads.forRanges(Self.blocks(count), grain: DynamicLaunch.blocks) { range in
      let start = range.lowerBound * Self.blockSize
      nibble_quantize_dynamic(
        x.pointer + start, levels.pointer, thresholds.pointer, codes.pointer + start,
        scales.pointer + range.lowerBound,
        min(count, range.upperBound * Self.blockSize) - start, isSigned ? 1 : 0)
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let launch = DynamicLaunch(count, on: device) else { return }
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<UInt8>, Buffer<Float>, UInt64, UInt32, UInt32
      > = try device.kernel("quantize_dynamic", in: "dynamic_blocks", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), UInt64(count), map.isSigned ? 1 : 0,
      UInt32(DynamicLaunch.blocks),
      over: launch.geometry)
  }

  static var samples: [Sample] {
    DynamicLaunch.inputs.flatMap { label, input in
      [true, false].map { isSigned in
        let map = DynamicMap(isSigned: isSigned)
        let steps = map.steps
        let size: Shape = [DynamicMap.stepCount]
        return Sample(
          "\(label)\(isSigned ? "" : " unsigned")",
          QuantizeDynamic(map: map, count: input.type.shape.count),
          [
            input, .init(size, .int32, .values(steps.levels.map { Float($0) })),
            .init(size, .float32, .values(steps.thresholds)),
          ])
      }
    }
  }
}

/// The numbers of codes on a dynamic map.
///
/// Inputs: codes: uint8 [n], scales [blocks], map [256]. Outputs: x [n].
struct DequantizeDynamic: Operation {
  static let name = "dequantize_dynamic"
  static let comparison = OutputComparison.exact
  let count: Int

  private var blocks: Int { QuantizeDynamic.blocks(count) }

  var signature: String { "codes: uint8 [\(count)], scales [\(blocks)], map [256] > x [\(count)]" }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in 0..<count {
      outputs[0][index] =
        inputs[2][inputs[0].integer(index)] * inputs[1][index / QuantizeDynamic.blockSize]
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let codes = HostArray<UInt8>(inputs[0].memory), let scales = HostArray<Float>(inputs[1].memory),
      let map = HostArray<Float>(inputs[2].memory), let x = HostArray<Float>(outputs[0].memory)
    else { return }
    let count = count
    device.threads.forRanges(blocks, grain: DynamicLaunch.blocks) { range in
      let start = range.lowerBound * QuantizeDynamic.blockSize
      nibble_dequantize_dynamic(
        codes.pointer + start, scales.pointer + range.lowerBound, map.pointer, x.pointer + start,
        min(count, range.upperBound * QuantizeDynamic.blockSize) - start)
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let launch = DynamicLaunch(count, on: device) else { return }
    let kernel: Kernel<Buffer<UInt8>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt64, UInt32> =
      try device.kernel("dequantize_dynamic", in: "dynamic_blocks", launch.definitions)
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory), Buffer(outputs[0].memory),
      UInt64(count), UInt32(DynamicLaunch.blocks), over: launch.geometry)
  }

  static var samples: [Sample] {
    [(1, true), (256, false), (3 * 256 + 17, true), (20_000, false)].map { count, isSigned in
      Sample(
        "\(count)\(isSigned ? "" : " unsigned")", DequantizeDynamic(count: count),
        [
          .init([count], .uint8, .integers(0..<256)), .init([QuantizeDynamic.blocks(count)]),
          .init([256], .float32, .values(DynamicMap(isSigned: isSigned).values)),
        ])
    }
  }
}

/// How blocks are divided among work-items.
private struct DynamicLaunch {
  /// Blocks of a processor's work-item.
  static let blocks = 64

  let definitions: [String: String]
  let geometry: Geometry

  /// Nil when there is nothing to do.
  init?(_ count: Int, on device: OpenCLDevice) {
    guard count > 0 else { return nil }
    let lanes = device.description.lanes(atMost: 128)
    definitions = ["LANES": "\(lanes)"]
    let blocks = QuantizeDynamic.blocks(count)
    geometry = .groups(lanes == 1 ? (blocks + Self.blocks - 1) / Self.blocks : blocks)
  }

  /// Zeros, blocks that are zero or too small for a scale, every decade, and sizes that leave a part of a block.
  static var inputs: [(label: String, input: Sample.Input)] {
    let decades = (0..<600).map { index in
      Float(
        sign: index.isMultiple(of: 3) ? .minus : .plus, exponent: -(index % 27),
        significand: 1 + Float(index % 7) / 8)
    }
    let small =
      (0..<256).map { Float(bitPattern: UInt32($0) << 12) } + [Float](repeating: 0, count: 256) + [
        3e38, 1, -0.0,
      ]
    return [
      ("one", .init([1], .float32, .values([-0.3]))),
      ("normal", .init([1000], .float32, .normal(deviation: 1e-6))),
      ("decades", .init([decades.count], .float32, .values(decades))),
      ("small", .init([small.count], .float32, .values(small))), ("large", .init([40_000])),
    ]
  }
}
