import CHost
public import Kernels
import NumberFormats

/// A matrix rounded to levels that scales spread: what quantization-aware training multiplies with.
///
/// Inputs: x [rows, columns], scale as ``ScaleGroups/scales(rows:columns:)`` says. Outputs: y [rows, columns]. Every device
/// gives the same bits. The gradient of a grid with a level at zero is that of a learned step size: `dx = dy` within the
/// grid, else 0, and for the scale `dy (code - position)`, beyond the grid `dy code`, summed and divided by
/// `sqrt(largest code x numbers)`. That of a mid-rise grid goes through unchanged, and none goes to its scale.
///
/// - SeeAlso: Esser et al., "Learned Step Size Quantization", 2020; Liu et al., "Oscillation-free Quantization for
///   Low-bit Vision Transformers", 2023 (StatsQ).
public struct QuantizeUniform: DifferentiableOperation {
  public static let name = "quantize_uniform"
  public static let comparison = OutputComparison.exact
  public let quantizer: UniformQuantizer
  public let result: Result

  /// What becomes of a number.
  public enum Result: Sendable, Hashable {
    case value
    case code
    /// 1 where a threshold between two codes is within this many steps, else 0.
    case nearThreshold(Float)
  }

  public init(_ quantizer: UniformQuantizer, result: Result = .value) {
    self.quantizer = quantizer
    self.result = result
  }

  public var signature: String { "x [rows, columns], scale [bands, groups] > y [rows, columns]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try Self.check(inputs, quantizer.groups, Self.name, signature)
  }

  static func check(
    _ inputs: [TensorType], _ groups: ScaleGroups, _ name: String, _ signature: String,
  ) throws(ShapeError) {
    let expected = groups.scales(rows: inputs[0].shape[0], columns: inputs[0].shape[1])
    guard inputs[1].shape == expected else {
      throw ShapeError(
        operation: name, expected: signature, problem: "the scales are \(inputs[1].shape), not \(expected)")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (grid, columns) = (quantizer.grid, inputs[0].shape[1])
    for index in 0..<inputs[0].shape.count {
      let place = quantizer.groups.scale(of: index, columns: columns)
      let scale = UniformGrid.held(Float(inputs[1][place]))
      let position = grid.position(of: Float(inputs[0][index]), scale: scale)
      switch result {
      case .value: outputs[0][index] = Scalar(grid.value(of: grid.code(at: position), scale: scale))
      case .code: outputs[0][index] = Scalar(grid.code(at: position))
      case .nearThreshold(let radius):
        outputs[0][index] = grid.isNearThreshold(position, radius: radius) ? 1 : 0
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let scale = HostArray<Float>(inputs[1].memory),
      let y = HostArray<Float>(outputs[0].memory)
    else { return }
    let (grid, isShared, result) = (quantizer.grid.host, quantizer.groups.isShared, result)
    UniformLaunch(inputs[0], quantizer.groups).forGroups(on: device) { start, count, place in
      let scale = UniformGrid.held(scale[isShared ? 0 : place])
      let (from, to) = (x.pointer + start, y.pointer + start)
      withUnsafePointer(to: grid) { grid in
        switch result {
        case .value: nibble_uniform_values(from, to, count, scale, grid)
        case .code: nibble_uniform_codes(from, to, count, scale, grid)
        case .nearThreshold(let radius): nibble_uniform_near(from, to, count, scale, grid, radius)
        }
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = UniformLaunch(inputs[0], quantizer.groups)
    guard inputs[0].shape.count > 0 else { return }
    let kind: Int
    var radius: Float = 0
    switch result {
    case .value: kind = 0
    case .code: kind = 1
    case .nearThreshold(let chosen): (kind, radius) = (2, chosen)
    }
    let lanes = launch.lanes(device)
    let kernel: UntypedKernel = try device.untypedKernel(
      "uniform_quantize", in: "uniform", ["LANES": "\(lanes)", "RESULT": "\(kind)"])
    let grid = quantizer.grid
    kernel(
      [
        Buffer<Float>(inputs[0].memory), Buffer<Float>(inputs[1].memory), Buffer<Float>(outputs[0].memory),
        UInt64(launch.rows), UInt32(launch.columns), UInt32(launch.width),
        UInt32(quantizer.groups.isShared ? 1 : 0), Float(grid.smallest), Float(grid.largest), grid.offset,
        radius, UInt32(launch.block(lanes)),
      ], over: .groups(launch.blocks(lanes)))
  }

  /// Levels times scales, which are no BF16 values.
  public var activations: Set<Int> { [] }

  public var saved: SavedTensors {
    quantizer.grid.offset == 0 ? SavedTensors(inputs: [0, 1]) : SavedTensors()
  }

  public func backward(_ context: GradientContext) {
    precondition(result == .value, "codes have no gradient")
    guard let dy = context.cotangent(0) else { return }
    guard quantizer.grid.offset == 0 else { return context.add(dy, to: 0) }
    let gradients = context.tape.apply(
      QuantizeUniformGradient(quantizer), [context.input(0), context.input(1), dy])
    context.add(gradients[0], to: 0)
    if context.needs(1) { context.add(gradients[1], to: 1) }
  }

  /// Rounding has no derivative that differences could tell: the gradients are other operations' and fixtures'.
  public static var samples: [Sample] {
    UniformSamples.all.map { sample in
      sample.sample("", gradients: []) { QuantizeUniform($0) }
    }
      + UniformSamples.all.filter { $0.rows < 20 }.flatMap { sample in
        [
          sample.sample(" codes", gradients: []) { QuantizeUniform($0, result: .code) },
          sample.sample(" near", gradients: []) { QuantizeUniform($0, result: .nearThreshold(0.05)) },
        ]
      }
  }
}

/// Cases of uniform quantizers.
struct UniformSamples {
  let grid: UniformGrid
  let groups: ScaleGroups
  let rows: Int
  let columns: Int

  /// - Parameter others: Inputs behind x and scale.
  func sample(
    _ label: String, gradients: Set<Int>? = nil, others: [Sample.Input] = [],
    _ operation: (UniformQuantizer) -> any Operation,
  ) -> Sample {
    let scales = groups.scales(rows: rows, columns: columns)
    // Some below the floor, where all but zero saturates.
    let fill = Sample.Fill.uniform(-0.02...0.4)
    return Sample(
      "\(groups) \(grid.smallest)...\(grid.largest) + \(grid.offset) \(rows)x\(columns)\(label)",
      operation(UniformQuantizer(grid, groups)),
      [.init([rows, columns]), .init(scales, .float32, fill)] + others, gradients: gradients)
  }

  static var all: [Self] {
    let grids: [UniformGrid] = [
      .signed(bits: 4), .signed(bits: 2), .unsigned(bits: 4), .midRise(bits: 3), .signed(bits: 8),
    ]
    let shapes: [(ScaleGroups, Int, Int)] = [
      (.matrix, 7, 19), (.row, 5, 133), (.alongRow(64), 3, 256), (.alongRow(32), 6, 70), (.row, 1, 1),
    ]
    return grids.flatMap { grid in
      shapes.map { Self(grid: grid, groups: $0.0, rows: $0.1, columns: $0.2) }
    } + [
      Self(grid: .signed(bits: 4), groups: .alongRow(64), rows: 130, columns: 300),
      Self(grid: .signed(bits: 8), groups: .matrix, rows: 300, columns: 130),
    ]
  }
}
