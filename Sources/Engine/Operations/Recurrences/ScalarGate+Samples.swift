import Kernels

extension ScalarGatedLinearAttention {
  public static var samples: [Sample] {
    [
      sample("plain t5 k4 v8", time: 5, width: 4, valueWidth: 8),
      sample("plain t1 state", time: 1, width: 5, valueWidth: 3, initial: true),
      // One number from 70: its gradient is a sum of differences q dq - k dk that cancel.
      sample("per head t70", .perHead, time: 70, width: 8, valueWidth: 8, slack: 4),
      sample("per token t65", .perToken, time: 65, width: 16, valueWidth: 16),
      sample("per token t33 odd widths", .perToken, time: 33, width: 7, valueWidth: 19, heads: 3),
      sample(
        "groups t67 state", .perToken, time: 67, width: 6, valueWidth: 4, heads: 4, groups: 2, initial: true),
      nearZero,
      sample("near one t130", .perToken, time: 130, width: 4, valueWidth: 4, gates: -1e-5...0),
      sample("documents t129", .perToken, time: 129, width: 4, valueWidth: 6, initial: true, documents: true),
      sample("documents per head t9", .perHead, time: 9, width: 4, valueWidth: 4, heads: 2, documents: true),
      sample(
        "step t1 groups", .perToken, time: 1, width: 20, valueWidth: 33, heads: 2, groups: 1, initial: true,
        batch: 2),
      sample("step t3 documents", .perToken, time: 3, width: 4, valueWidth: 16, documents: true),
      sample("two sequences t64", .perHead, time: 64, width: 4, valueWidth: 4, heads: 2, batch: 2),
    ]
  }

  /// Gates that end the memory between ordinary ones.
  private static var nearZero: Sample {
    let ordinary = sample("near zero t20", .perToken, time: 20, width: 4, valueWidth: 4)
    let gates = (0..<20).map { (token: Int) -> Float in
      token % 3 == 1 ? -18 - 2 * Float(token) : -0.1 * Float(token % 5)
    }
    var inputs = ordinary.inputs
    inputs[3] = .init([1, 20, 1], .float32, .values(gates))
    return Sample(ordinary.label, ordinary.operation, inputs)
  }

  private static func sample(
    _ label: String, _ gate: Gate = .none, time: Int, width: Int, valueWidth: Int, heads: Int = 1,
    groups: Int? = nil, initial: Bool = false, documents: Bool = false, batch: Int = 1,
    gates: ClosedRange<Double> = -0.7 ... -0.01, slack: Double = 1,
  ) -> Sample {
    let options = RecurrenceOptions(
      scale: 1 / Float(width).squareRoot(), hasInitialState: initial, hasDocuments: documents)
    var inputs: [Sample.Input] = [
      .init([batch, time, groups ?? heads, width]), .init([batch, time, groups ?? heads, width]),
      .init([batch, time, heads, valueWidth]),
    ]
    switch gate {
    case .none: break
    case .perHead: inputs.append(.init([heads], .float32, .uniform(gates)))
    case .perToken: inputs.append(.init([batch, time, heads], .float32, .uniform(gates)))
    }
    if initial { inputs.append(.init([batch, heads, width, valueWidth])) }
    if documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / 7 % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, ScalarGatedLinearAttention(gate, options), inputs,
      gradients: documents ? Set(0..<inputs.count - 1) : nil, slack: slack)
  }
}

extension ScalarGatedLinearAttentionGradient {
  /// The forward's samples with cotangents, every other one with a cotangent of the final state.
  static var samples: [Sample] {
    ScalarGatedLinearAttention.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? ScalarGatedLinearAttention else { return nil }
      let size = RecurrenceExtents(query: sample.inputs[0].type.shape, value: sample.inputs[2].type.shape)
      let hasFinal = index.isMultiple(of: 2)
      let operation = ScalarGatedLinearAttentionGradient(
        forward, hasFinalCotangent: hasFinal, needsGate: forward.gate != .none && index % 3 != 2)
      let state = Sample.Input([size.batch, size.heads, size.width, size.valueWidth])
      return Sample(
        sample.label, operation,
        sample.inputs + [.init(sample.inputs[2].type.shape)] + (hasFinal ? [state] : []))
    }
  }
}
