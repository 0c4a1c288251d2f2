import CHost
public import Kernels
public import NumberFormats

/// The codes of single numbers in a small float format, without scales.
///
/// Inputs: x [...]. Outputs: codes: int32 [...]. Every pattern of a Float is taken as it is: NaN, infinities, subnormal
/// numbers and both zeros.
public struct EncodeFormat: Operation {
  public static let name = "encode_format"
  public static let comparison = OutputComparison.exact
  public let format: FloatFormat
  public let overflow: Overflow
  public let roundsAway: Bool
  /// Stochastic rounding with these bits.
  public let randomness: RoundingBits?

  /// - Parameter roundsAway: From the middle between two codes away from zero, instead of to the even one.
  public init(
    _ format: FloatFormat, overflow: Overflow = .saturate, roundsAway: Bool = false,
    randomness: RoundingBits? = nil,
  ) {
    self.format = format
    self.overflow = overflow
    self.roundsAway = roundsAway
    self.randomness = randomness
  }

  public var signature: String { "x [...] > codes: int32 [...]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in inputs[0].values.indices {
      let rounding = randomness?.rounding(index) ?? (roundsAway ? .nearestAway : .nearestEven)
      outputs[0][index] = Scalar(format.encode(Float(inputs[0][index]), rounding, overflow: overflow))
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    FormatCodes(self).run(nibble_encode_format(), on: device, inputs[0], outputs[0])
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try FormatCodes(self).run(
      "encode_format", on: device, Buffer<Float>(inputs[0].memory), Buffer<Int32>(outputs[0].memory),
      count: inputs[0].shape.count)
  }

  public static var samples: [Sample] {
    FormatCatalogue.floats.flatMap { format in
      let values = FormatCodes.interestingValues(format)
      let input = Sample.Input([values.count], .float32, .values(values))
      return [
        Sample("\(format.name)", EncodeFormat(format), [input]),
        Sample("\(format.name) ieee", EncodeFormat(format, overflow: .ieee), [input]),
        Sample("\(format.name) away", EncodeFormat(format, roundsAway: true), [input]),
        Sample("\(format.name) stochastic", EncodeFormat(format, randomness: RoundingBits(seed: 4)), [input]),
        Sample(
          "\(format.name) random", EncodeFormat(format), [.init([1003], .float32, .normal(deviation: 9))]),
      ]
    }
  }
}

/// The values of codes of a small float format.
///
/// Inputs: codes: int32 [...]. Outputs: x [...].
public struct DecodeFormat: Operation {
  public static let name = "decode_format"
  public static let comparison = OutputComparison.exact
  public let format: FloatFormat

  public init(_ format: FloatFormat) { self.format = format }

  public var signature: String { "codes: int32 [...] > x [...]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in inputs[0].values.indices {
      outputs[0][index] = Scalar(format.decode(UInt32(inputs[0].integer(index))))
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    FormatCodes(self).run(
      nibble_decode_format(), on: device, inputs[0], outputs[0])
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try FormatCodes(self).run(
      "decode_format", on: device, Buffer<Int32>(inputs[0].memory), Buffer<Float>(outputs[0].memory),
      count: inputs[0].shape.count)
  }

  public static var samples: [Sample] {
    FormatCatalogue.floats.map { format in
      let count = 1 << format.bitCount
      // All codes; of 16 bits every 31st, which meets every exponent.
      let codes = stride(from: 0, to: count, by: count > 4096 ? 31 : 1).map { Float($0) }
      return Sample(format.name, DecodeFormat(format), [.init([codes.count], .int32, .values(codes))])
    }
  }
}

/// What encoding and decoding share: the kernels' parameters and launches.
struct FormatCodes {
  static let range: UInt32 = 16_384
  private(set) var words: SIMD16<UInt32>

  static func groups(_ count: Int) -> Int { (count + Int(range) - 1) / Int(range) }

  init(_ operation: EncodeFormat) {
    let format = operation.format
    let above = format.infinityCode ?? format.notANumberCode ?? format.largestCode
    self.init(format, above: operation.overflow == .ieee ? above : format.largestCode)
    words[7] = operation.randomness != nil ? 2 : operation.roundsAway ? 1 : 0
    words[8] = operation.randomness?.first ?? 0
    words[9] = operation.randomness?.second ?? 0
  }

  init(_ operation: DecodeFormat) {
    self.init(operation.format, above: operation.format.infinityCode ?? operation.format.largestCode)
  }

  private init(_ format: FloatFormat, above: UInt32) {
    var words = SIMD16<UInt32>(repeating: 0)
    words[0] = format.mantissaBits
    words[1] = format.grid.lowestExponent
    words[2] = format.largestCode
    words[3] = format.magnitudeBits
    words[4] = format.isSigned ? 1 : 0
    words[5] = above
    words[6] = format.notANumberCode ?? format.largestCode
    self.words = words
  }

  func run<From: DeviceScalar, To: DeviceScalar>(
    _ name: String, on device: OpenCLDevice, _ from: Buffer<From>, _ to: Buffer<To>, count: Int,
  ) throws {
    let kernel: Kernel<Buffer<From>, Buffer<To>, UInt32, UInt32, SIMD16<UInt32>> = try device.kernel(
      name, in: "format_codes", QuantizationLaunch.definitions(device))
    guard count > 0 else { return }
    kernel(from, to, UInt32(count), Self.range, words, over: .groups(Self.groups(count)))
  }

  func run(_ kernel: @escaping nibble_format_kernel, on device: HostDevice, _ from: Tensor, _ to: Tensor) {
    guard let source = Bytes(from.memory), let target = Bytes(to.memory) else { return }
    let (count, words) = (from.shape.count, self.words.indices.map { self.words[$0] })
    let body = Body(kernel: kernel, source: source, target: target)
    device.threads.forRanges(Self.groups(count), grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        body.kernel(body.source.pointer, body.target.pointer, UInt32(count), Self.range, words)
      }
    }
  }

  /// Threads write to disjoint elements; the operation keeps the memory alive.
  private struct Body: @unchecked Sendable {
    let kernel: nibble_format_kernel
    let source, target: Bytes
  }

  private struct Bytes {
    let pointer: UnsafeMutableRawPointer

    init?(_ memory: Memory) {
      if memory.element == .int32 {
        guard let array = HostArray<Int32>(memory) else { return nil }
        pointer = UnsafeMutableRawPointer(array.pointer)
      } else {
        guard let array = HostArray<Float>(memory) else { return nil }
        pointer = UnsafeMutableRawPointer(array.pointer)
      }
    }
  }

  /// Every code's value (of 16-bit formats some), the middles, their neighbours, and what lies beyond.
  static func interestingValues(_ format: FloatFormat) -> [Float] {
    var values: [Float] = [
      .nan, -.nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .leastNormalMagnitude,
      -.leastNormalMagnitude.nextDown, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
    ]
    let step = max(1, format.largestCode / 150)
    for code in stride(from: 0, through: format.largestCode, by: Int(step)) {
      let (low, high) = (format.decode(code), format.decode(min(code + 1, format.largestCode)))
      let middle = low + (high - low) / 2
      for value in [low, low.nextUp, middle.nextDown, middle, middle.nextUp] { values += [value, -value] }
    }
    let beyond = format.largest + (format.largest - format.decode(format.largestCode - 1)) / 2
    return values + [beyond.nextDown, beyond, beyond.nextUp, -beyond]
  }
}
