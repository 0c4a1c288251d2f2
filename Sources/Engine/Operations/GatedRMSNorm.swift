import CHost
public import Kernels

/// Root-mean-square normalization with an output gate in one pass.
///
/// `a = silu(gate)` or `sigmoid(gate)`; norm, then gate: `y = rms(x) weight a`; gate, then norm: `y = rms(x a) weight`;
/// `rms(z) = z / sqrt(mean(z^2) + epsilon)` over the last axis.
///
/// Inputs: x and gate [..., dim], weight [dim]. Outputs: y [..., dim] and 1 / sqrt(...) [...], which has no gradient of
/// its own.
///
/// - SeeAlso: Dao & Gu, "Transformers are SSMs", 2024 (gate, then norm); Yang et al., "Gated Linear Attention
///   Transformers with Hardware-Efficient Training", 2024 (norm, then gate).
public struct GatedRMSNorm: DifferentiableOperation {
  /// What the gate passes through.
  public enum Gate: String, Sendable, Hashable, CaseIterable {
    case silu
    case sigmoid
  }

  /// Whether the gate is applied before or after the norm.
  public enum Order: String, Sendable, Hashable, CaseIterable {
    case normThenGate = "norm_then_gate"
    case gateThenNorm = "gate_then_norm"
  }

  public static let name = "gated_rms_norm"
  public let order: Order
  public let gate: Gate
  public let epsilon: Double

  /// - Parameter epsilon: Added to the mean of squares; not negative.
  public init(order: Order, gate: Gate = .silu, epsilon: Double) {
    self.order = order
    self.gate = gate
    self.epsilon = epsilon
  }

  public var signature: String { "x [..., dim], gate [..., dim], weight [dim] > y [..., dim], rstd [...]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard inputs[0].shape.last > 0, epsilon >= 0, epsilon.isFinite else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "x \(inputs[0]) with epsilon \(epsilon): rows must not be empty, epsilon not negative")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    for row in 0..<inputs[0].shape.rows {
      let columns = row * dim..<(row + 1) * dim
      let gates = columns.map { activated(inputs[1][$0]).value }
      let x = columns.map { inputs[0][$0] }
      let z = order == .gateThenNorm ? zip(x, gates).map(*) : x
      let rstd = 1 / (z.reduce(0) { $0 + $1 * $1 } / Scalar(dim) + Scalar(epsilon)).squareRoot()
      for column in 0..<dim {
        let scaled = z[column] * rstd * inputs[2][column]
        outputs[0][row * dim + column] = order == .gateThenNorm ? scaled : scaled * gates[column]
      }
      outputs[1][row] = rstd
    }
  }

  /// The gate's function and its slope.
  func activated<Scalar: ReferenceScalar>(_ x: Scalar) -> (value: Scalar, slope: Scalar) {
    let s = 1 / (1 + Scalar.exp(-x))
    return gate == .silu ? (x * s, s * (1 + x * (1 - s))) : (s, s * (1 - s))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let gate = HostArray<Float>(inputs[1].memory),
      let weight = HostArray<Float>(inputs[2].memory), let y = HostArray<Float>(outputs[0].memory),
      let rstd = HostArray<Float>(outputs[1].memory)
    else { return }
    let dim = inputs[0].shape.last
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 32_768 / dim)) { range in
      let start = range.lowerBound * dim
      nibble_gated_norm_forward(
        x.pointer + start, gate.pointer + start, weight.pointer, y.pointer + start,
        rstd.pointer + range.lowerBound, order == .gateThenNorm ? 1 : 0, self.gate == .silu ? 1 : 0,
        Float(epsilon), range.count, dim)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    typealias Operand = Buffer<Float>
    let kernel: Kernel<Operand, Operand, Operand, Operand, Operand, Float, UInt32, UInt32, UInt32> =
      try device.kernel("gated_rms_norm", in: "gated_rms_norm", definitions(launch))
    guard launch.rows > 0 else { return }
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(inputs[2].memory),
      Buffer(outputs[0].memory), Buffer(outputs[1].memory), Float(epsilon), UInt32(launch.rows),
      UInt32(launch.dim), UInt32(launch.block), over: launch.geometry)
  }

  func definitions(_ launch: RowLaunch) -> [String: String] {
    launch.definitions.merging([
      "GATE_FIRST": order == .gateThenNorm ? "1" : "0", "SILU": gate == .silu ? "1" : "0",
    ]) { first, _ in first }
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 9 * Double(inputs[0].shape.count), moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(inputs: [0, 1, 2], outputs: [1]) }

  public func backward(_ context: GradientContext) {
    precondition(context.cotangent(1) == nil, "gated_rms_norm: its rstd has no gradient")
    guard let dy = context.cotangent(0) else { return }
    let gradient = GatedRMSNormGradient(of: self, x: context.inputType(0).shape)
    let results = context.tape.apply(
      gradient, [context.input(0), context.input(1), context.input(2), context.output(1), dy])
    context.add(results[0], to: 0)
    context.add(results[1], to: 1)
    context.add(SumRows(), [results[2]], to: 2)
  }

  public static var samples: [Sample] {
    Order.allCases.flatMap { order in
      [(1, 1), (3, 7), (17, 16), (5, 64), (2, 307), (1, 1030), (140, 9)].map { rows, dim in
        Sample(
          "\(order.rawValue) \(rows)x\(dim)",
          GatedRMSNorm(order: order, gate: rows == 3 ? .sigmoid : .silu, epsilon: 1e-5),
          [.init([rows, dim]), .init([rows, dim]), .init([dim])], differentiableOutputs: [0])
      } + [
        Sample(
          "\(order.rawValue) sigmoid heads", GatedRMSNorm(order: order, gate: .sigmoid, epsilon: 0.01),
          [.init([2, 3, 2, 12]), .init([2, 3, 2, 12], .float32, .normal(deviation: 4)), .init([12])],
          differentiableOutputs: [0])
      ]
    }
  }
}

extension Tape {
  /// Root-mean-square normalization with an output gate; see ``GatedRMSNorm``.
  ///
  /// - Parameters:
  ///   - x: [..., dim].
  ///   - gate: Like x, before its activation.
  ///   - weight: Gain, [dim].
  public func gatedRMSNorm(
    _ x: Tensor, gate: Tensor, weight: Tensor, epsilon: Double, order: GatedRMSNorm.Order,
    activation: GatedRMSNorm.Gate = .silu,
  ) -> Tensor {
    apply(GatedRMSNorm(order: order, gate: activation, epsilon: epsilon), [x, gate, weight])[0]
  }
}
