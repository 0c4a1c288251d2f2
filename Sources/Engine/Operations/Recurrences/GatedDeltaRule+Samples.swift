import Kernels

extension GatedDeltaRule {
  public static var samples: [Sample] {
    [
      sample("plain t5 k4 v8", time: 5, width: 4, valueWidth: 8),
      sample("plain t1 state", time: 1, width: 5, valueWidth: 3, initial: true),
      sample("plain t64", time: 64, width: 8, valueWidth: 8),
      // 64 keys in few dimensions depend on each other: where the recurrence sums over a small state, the solve sums
      // over all earlier tokens of the chunk.
      sample("plain t70 beta to two", time: 70, width: 8, valueWidth: 20, beta: 0...2, slack: 2),
      sample("plain t65 repeated keys", time: 65, width: 8, valueWidth: 8, keys: 3, beta: 0.9...1),
      zeroBeta,
      sample("gated t65", gates: -0.7 ... -0.01, time: 65, width: 16, valueWidth: 16),
      sample("gated t33 odd widths", gates: -0.7 ... -0.01, time: 33, width: 7, valueWidth: 19, heads: 3),
      sample(
        "groups t67 state", gates: -0.7 ... -0.01, time: 67, width: 6, valueWidth: 4, heads: 4, groups: 2,
        initial: true),
      nearZero,
      sample("near one t130", gates: -1e-5...0, time: 130, width: 4, valueWidth: 4),
      sample(
        "documents t129", gates: -0.7 ... -0.01, time: 129, width: 4, valueWidth: 6, initial: true,
        documents: true),
      sample("documents plain t9", time: 9, width: 4, valueWidth: 4, heads: 2, documents: true),
      sample(
        "step t1 groups", gates: -0.7 ... -0.01, time: 1, width: 20, valueWidth: 33, heads: 2, groups: 1,
        initial: true, batch: 2),
      sample(
        "step t3 documents", gates: -0.7 ... -0.01, time: 3, width: 4, valueWidth: 16, documents: true),
      // As above.
      sample(
        "two sequences t64", gates: -0.3...0, time: 64, width: 4, valueWidth: 4, heads: 2, batch: 2, slack: 2),
    ]
  }

  /// Tokens that write nothing between ordinary ones.
  private static var zeroBeta: Sample {
    let ordinary = sample("zero beta t40 state", time: 40, width: 4, valueWidth: 4, initial: true)
    var inputs = ordinary.inputs
    inputs[3] = .init([1, 40, 1], .float32, .values((0..<40).map { $0 % 3 == 0 ? 0 : Float($0) / 40 }))
    return Sample(ordinary.label, ordinary.operation, inputs)
  }

  /// Gates that end the memory between ordinary ones.
  ///
  /// A gradient of such a gate is a sum of differences q dq + k (read - write) that cancel, hence the slack.
  private static var nearZero: Sample {
    let ordinary = sample("near zero t20", gates: -1...0, time: 20, width: 4, valueWidth: 4, slack: 4)
    let gates = (0..<20).map { (token: Int) -> Float in
      token % 3 == 1 ? -18 - 2 * Float(token) : -0.1 * Float(token % 5)
    }
    var inputs = ordinary.inputs
    inputs[4] = .init([1, 20, 1], .float32, .values(gates))
    return Sample(ordinary.label, ordinary.operation, inputs, slack: ordinary.slack)
  }

  /// - Parameter keys: So many keys take turns; nil for a new one at every token.
  private static func sample(
    _ label: String, gates: ClosedRange<Double>? = nil, time: Int, width: Int, valueWidth: Int,
    heads: Int = 1,
    groups: Int? = nil, initial: Bool = false, documents: Bool = false, batch: Int = 1, keys: Int? = nil,
    beta: ClosedRange<Double> = 0...1, slack: Double = 1,
  ) -> Sample {
    let options = RecurrenceOptions(
      scale: 1 / Float(width).squareRoot(), hasInitialState: initial, hasDocuments: documents)
    let rows = batch * time * (groups ?? heads)
    let key = Sample.Fill.values(unitRows(rows, of: keys ?? rows, width: width, seed: label))
    var inputs: [Sample.Input] = [
      .init([batch, time, groups ?? heads, width]),
      .init([batch, time, groups ?? heads, width], .float32, key),
      .init([batch, time, heads, valueWidth]), .init([batch, time, heads], .float32, .uniform(beta)),
    ]
    if let gates { inputs.append(.init([batch, time, heads], .float32, .uniform(gates))) }
    if initial { inputs.append(.init([batch, heads, width, valueWidth])) }
    if documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / 7 % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, GatedDeltaRule(hasGate: gates != nil, options), inputs,
      gradients: documents ? Set(0..<inputs.count - 1) : nil, slack: slack)
  }

  /// Rows of length 1, `distinct` of them in turns: with longer keys the state would grow without limit.
  private static func unitRows(_ rows: Int, of distinct: Int, width: Int, seed: String) -> [Float] {
    let numbers = Sample.values(.normal(deviation: 1), count: distinct * width, seed: "\(seed) keys")
    return (0..<rows).flatMap { (row: Int) -> [Float] in
      let start = row % distinct * width
      let numbers = numbers[start..<start + width]
      let length = numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return numbers.map { $0 / length }
    }
  }
}

extension GatedDeltaRuleGradient {
  /// The forward's samples with cotangents, every other one with a cotangent of the final state.
  static var samples: [Sample] {
    GatedDeltaRule.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? GatedDeltaRule else { return nil }
      let size = RecurrenceExtents(query: sample.inputs[0].type.shape, value: sample.inputs[2].type.shape)
      let hasFinal = index.isMultiple(of: 2)
      let operation = GatedDeltaRuleGradient(
        forward, hasFinalCotangent: hasFinal, needsGate: forward.hasGate && index % 3 != 2)
      let state = Sample.Input([size.batch, size.heads, size.width, size.valueWidth])
      return Sample(
        sample.label, operation,
        sample.inputs + [.init(sample.inputs[2].type.shape)] + (hasFinal ? [state] : []),
        slack: sample.slack)
    }
  }
}
