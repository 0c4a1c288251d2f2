import Kernels

/// How a projection becomes the natural logarithm of a decay factor, at most 0.
///
/// Every form is written so that neither side overflows or loses its digits.
public enum LogGate: Sendable, Hashable {
  /// `log(sigmoid(x)) / normalizer` (gated linear attention; normalizer 16).
  case logSigmoid(normalizer: Double)
  /// `-exp(-1/2) sigmoid(x)`: decays between 0.545 and 1 (RWKV-7).
  case rwkv7
  /// `-exp(a_log) softplus(x + dt_bias)` with a_log and dt_bias per head (Mamba-2, gated delta rule).
  case softplusA

  /// The gate as an operation on x, and for ``softplusA`` on x [..., heads], a_log [heads] and dt_bias [heads].
  public var operation: Pointwise {
    switch self {
    case .logSigmoid(let normalizer):
      precondition(normalizer > 0, "log_gate: the normalizer \(normalizer) is not positive")
      return Pointwise(PointwiseProgram(inputs: 1) { [-Self.softplus(-$0[0]) * (1 / normalizer)] })
    case .rwkv7:
      return Pointwise(PointwiseProgram(inputs: 1) { [-0.6065306597126334 * Activation.sigmoid($0[0])] })
    case .softplusA:
      let program = PointwiseProgram(inputs: 3) { [-($0[1].exp() * Self.softplus($0[0] + $0[2]))] }
      return Pointwise(program, operands: [.init(0), .init(1, .row), .init(2, .row)])
    }
  }

  /// `log(1 + exp(x))` as `max(x, 0) + log(1 + exp(-|x|))`.
  ///
  /// At 0, where both terms have a kink, x must be the first operand: the slopes then add up to 1/2.
  static func softplus(_ x: PointwiseValue) -> PointwiseValue {
    x.maximum(x.constant(0)) + (-x.abs()).exp().log1p()
  }

  static var samples: [Sample] {
    let kinks: Sample.Fill = .values([0, 1e-3, -1e-3, 30, -30, 1, -1, 90, -90, 5])
    let plain: [(String, LogGate)] = [("logsigmoid", .logSigmoid(normalizer: 16)), ("rwkv7", .rwkv7)]
    return plain.flatMap { label, gate in
      [
        Sample("log_gate \(label)", gate.operation, [.init([3, 19], .float32, .normal(deviation: 4))]),
        Sample("log_gate \(label) kinks", gate.operation, [.init([10], .float32, kinks)]),
      ]
    } + [
      Sample(
        "log_gate softplus_a", softplusA.operation,
        [.init([2, 5, 4], .float32, .normal(deviation: 4)), .init([4]), .init([4])]),
      // x is 0 exactly, as after a projection that starts at zero: the slope must be 1/2.
      Sample(
        "softplus at 0", Pointwise(PointwiseProgram(inputs: 1) { [softplus($0[0])] }),
        [.init([3], .float32, .values([0, -0.0, 1]))]),
    ]
  }
}

extension Tape {
  /// The logarithm of a decay factor from a projection: log-sigmoid or RWKV-7's; see ``LogGate``.
  ///
  /// - Parameter x: [...].
  public func logGate(_ gate: LogGate, _ x: Tensor) -> Tensor {
    precondition(gate != .softplusA, "log_gate: softplus_a needs a_log and dt_bias")
    return inSinglePrecision { apply(gate.operation, [x])[0] }
  }

  /// `-exp(a_log) softplus(x + dt_bias)`; see ``LogGate/softplusA``.
  ///
  /// - Parameters:
  ///   - x: [..., heads].
  ///   - aLog: [heads].
  ///   - timeStepBias: [heads].
  public func logGate(_ x: Tensor, aLog: Tensor, timeStepBias: Tensor) -> Tensor {
    inSinglePrecision { apply(LogGate.softplusA.operation, [x, aLog, timeStepBias])[0] }
  }

  /// `log(1 + exp(x + bias))`: step sizes of state space layers.
  ///
  /// - Parameters:
  ///   - x: [..., heads].
  ///   - bias: [heads]; nil for none.
  public func softplus(_ x: Tensor, bias: Tensor? = nil) -> Tensor {
    guard let bias else {
      let program = PointwiseProgram(inputs: 1) { [LogGate.softplus($0[0])] }
      return inSinglePrecision { apply(Pointwise(program), [x])[0] }
    }
    let program = PointwiseProgram(inputs: 2) { [LogGate.softplus($0[0] + $0[1])] }
    let operation = Pointwise(program, operands: [.init(0), .init(1, .row)])
    return inSinglePrecision { apply(operation, [x, bias])[0] }
  }
}
