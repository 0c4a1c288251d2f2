import CHost
public import Kernels

/// Rows scaled to unit length: queries and keys of the delta rule.
///
/// `y = factor x`; `factor = 1 / sqrt(sum x^2 + epsilon)`, or clamped `1 / max(sqrt(sum x^2), epsilon)`. The two differ
/// where rows are tiny.
///
/// Inputs: x [..., dim]. Outputs: y [..., dim] and the factor [...], which has no gradient of its own.
public struct L2Normalization: DifferentiableOperation {
  /// Where epsilon stands.
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// Under the root, in units of x^2.
    case rsqrt
    /// A lower bound of the length.
    case clamped
  }

  public static let name = "l2_normalize"
  public let mode: Mode
  public let epsilon: Double

  /// - Parameter epsilon: Positive.
  public init(mode: Mode = .rsqrt, epsilon: Double = 1e-6) {
    self.mode = mode
    self.epsilon = epsilon
  }

  public var signature: String { "x [..., dim] > y [..., dim], factor [...]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard inputs[0].shape.last > 0, epsilon > 0, epsilon.isFinite else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "x \(inputs[0]) with epsilon \(epsilon): rows must not be empty, epsilon must be positive")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let values = inputs[0].values[row * dim..<(row + 1) * dim]
      let sum = values.reduce(0) { $0 + $1 * $1 }
      let bound = Scalar(epsilon)
      let length = mode == .clamped ? max(sum.squareRoot(), bound) : (sum + bound).squareRoot()
      for (column, value) in values.enumerated() { outputs[0][row * dim + column] = value * (1 / length) }
      outputs[1][row] = 1 / length
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory),
      let factor = HostArray<Float>(outputs[1].memory)
    else { return }
    let (dim, clamped, epsilon) = (inputs[0].shape.last, mode == .clamped, Float(epsilon))
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 65_536 / dim)) { range in
      let start = range.lowerBound * dim
      nibble_l2_forward(
        x.pointer + start, y.pointer + start, factor.pointer + range.lowerBound, clamped ? 1 : 0, epsilon,
        range.count, dim)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Float, UInt32, UInt32, UInt32> =
      try device.kernel("l2_normalize", in: "l2_normalize", definitions(launch))
    guard launch.rows > 0 else { return }
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), Buffer(outputs[1].memory), Float(epsilon),
      UInt32(launch.rows), UInt32(launch.dim), UInt32(launch.block), over: launch.geometry)
  }

  fileprivate func definitions(_ launch: RowLaunch) -> [String: String] {
    ["LANES": "\(launch.lanes)", "CLAMPED": mode == .clamped ? "1" : "0"]
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 3 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(outputs: [0, 1]) }

  public func backward(_ context: GradientContext) {
    precondition(context.cotangent(1) == nil, "l2_normalize: its factor has no gradient")
    guard let dy = context.cotangent(0) else { return }
    let gradient = L2NormalizationGradient(of: self)
    context.add(context.tape.apply(gradient, [context.output(0), context.output(1), dy])[0], to: 0)
  }

  public static var samples: [Sample] {
    Mode.allCases.flatMap { mode in
      [(1, 1), (3, 7), (17, 16), (5, 64), (2, 307), (1, 1030)].map { rows, dim in
        sample("\(mode.rawValue) \(rows)x\(dim)", mode, 1e-6, [.init([rows, dim])])
      } + [
        sample("\(mode.rawValue) heads", mode, 1e-6, [.init([2, 3, 2, 12])]),
        // A long row, a short one, and one of zeros.
        sample(
          "\(mode.rawValue) tiny", mode, 0.1,
          [.init([3, 4], .float32, .values([1, -2, 3, 0.5, 0.01, -0.02, 0.03, 0.01, 0, 0, 0, 0]))]),
      ]
    }
  }

  private static func sample(_ label: String, _ mode: Mode, _ epsilon: Double, _ inputs: [Sample.Input])
    -> Sample
  {
    Sample(label, L2Normalization(mode: mode, epsilon: epsilon), inputs, differentiableOutputs: [0])
  }
}

/// The gradient of ``L2Normalization`` from its outputs.
struct L2NormalizationGradient: Operation {
  static let name = "l2_normalize_gradient"
  let forward: L2Normalization

  init(of forward: L2Normalization) { self.forward = forward }

  var signature: String { "y [..., dim], factor [...], dy [..., dim] > dx [..., dim]" }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try forward.validate(inputs) }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let indices = row * dim..<(row + 1) * dim
      let factor = inputs[1][row]
      let isHeld = forward.mode == .clamped && factor >= 1 / Scalar(forward.epsilon)
      let along = isHeld ? 0 : indices.reduce(0) { $0 + inputs[0][$1] * inputs[2][$1] }
      for index in indices { outputs[0][index] = factor * (inputs[2][index] - along * inputs[0][index]) }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let y = HostArray<Float>(inputs[0].memory), let factor = HostArray<Float>(inputs[1].memory),
      let dy = HostArray<Float>(inputs[2].memory), let dx = HostArray<Float>(outputs[0].memory)
    else { return }
    let (dim, epsilon) = (inputs[0].shape.last, Float(forward.epsilon))
    let clamped = forward.mode == .clamped
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 65_536 / dim)) { range in
      let start = range.lowerBound * dim
      nibble_l2_backward(
        y.pointer + start, factor.pointer + range.lowerBound, dy.pointer + start, dx.pointer + start,
        clamped ? 1 : 0, epsilon, range.count, dim)
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Float, UInt32, UInt32, UInt32
      > = try device.kernel("l2_normalize_backward", in: "l2_normalize", forward.definitions(launch))
    guard launch.rows > 0 else { return }
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(outputs[0].memory), Float(forward.epsilon), UInt32(launch.rows), UInt32(launch.dim),
      UInt32(launch.block), over: launch.geometry)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 5 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  static var samples: [Sample] {
    L2Normalization.Mode.allCases.flatMap { mode in
      [(3, 7), (17, 16), (2, 307)].map { rows, dim in
        Sample(
          "\(mode.rawValue) \(rows)x\(dim)",
          L2NormalizationGradient(of: L2Normalization(mode: mode, epsilon: 1)),
          [.init([rows, dim]), .init([rows], .float32, .uniform(0.5...2)), .init([rows, dim])])
      }
    }
  }
}

extension Tape {
  /// Rows of unit length; see ``L2Normalization``.
  ///
  /// - Parameters:
  ///   - x: [..., dim].
  ///   - mode: Whether epsilon stands under the root or bounds the length.
  ///   - epsilon: Positive.
  public func l2Normalize(
    _ x: Tensor, mode: L2Normalization.Mode = .rsqrt, epsilon: Double = 1e-6,
  ) -> Tensor {
    apply(L2Normalization(mode: mode, epsilon: epsilon), [x])[0]
  }
}
