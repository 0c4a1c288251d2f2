import Kernels

extension GatedDeltaRule {
  public static var samples: [Sample] {
    plainSamples + gatedSamples
  }

  private static var gatedSamples: [Sample] {
    [
      sample("gated t65", .init(time: 65, width: 16, valueWidth: 16), gates: ordinary),
      sample("gated t33 odd widths", .init(time: 33, width: 7, valueWidth: 19, heads: 3), gates: ordinary),
      sample(
        "groups t67 state", .init(time: 67, width: 6, valueWidth: 4, heads: 4, groups: 2, initial: true),
        gates: ordinary),
      // A gradient of such a gate is a sum of differences q dq + k (read - write) that cancel, hence the slack.
      sample(
        "near zero t20", .init(time: 20, width: 4, valueWidth: 4, slack: 4),
        gates: RecurrenceSample.nearZeroGates(20)),
      // Likewise, over 130 tokens.
      sample(
        "near one t130", .init(time: 130, width: 4, valueWidth: 4), gates: .uniform(-1e-5...0)),
      sample(
        "documents t129", .init(time: 129, width: 4, valueWidth: 6, initial: true, documents: 7),
        gates: ordinary),
      sample("documents plain t9", .init(time: 9, width: 4, valueWidth: 4, heads: 2, documents: 7)),
      sample(
        "step t1 groups",
        .init(time: 1, width: 20, valueWidth: 33, heads: 2, groups: 1, batch: 2, initial: true),
        gates: ordinary),
      sample("step t3 documents", .init(time: 3, width: 4, valueWidth: 16, documents: 7), gates: ordinary),
      // As "beta to two".
      sample(
        "two sequences t64", .init(time: 64, width: 4, valueWidth: 4, heads: 2, batch: 2, slack: 2),
        gates: .uniform(-0.3...0)),
      // More than one tile on all sides.
      sample("wide t70", .init(time: 70, width: 70, valueWidth: 131, isLarge: true), gates: ordinary),
    ]
  }

  private static var ordinary: Sample.Fill { .uniform(-0.7 ... -0.01) }

  private static var plainSamples: [Sample] {
    [
      sample("plain t5 k4 v8", .init(time: 5, width: 4, valueWidth: 8)),
      sample("plain t1 state", .init(time: 1, width: 5, valueWidth: 3, initial: true)),
      sample("plain t64", .init(time: 64, width: 8, valueWidth: 8)),
      // 64 keys in few dimensions depend on each other: where the recurrence sums over a small state, the solve sums
      // over all earlier tokens of the chunk.
      sample(
        "plain t70 beta to two", .init(time: 70, width: 8, valueWidth: 20, slack: 2), beta: .uniform(0...2)),
      sample(
        "plain t65 repeated keys", .init(time: 65, width: 8, valueWidth: 8), keys: 3, beta: .uniform(0.9...1)),
      // Tokens that write nothing between ordinary ones.
      sample(
        "zero beta t40 state", .init(time: 40, width: 4, valueWidth: 4, initial: true),
        beta: .values((0..<40).map { (token: Int) -> Float in token % 3 == 0 ? 0 : Float(token) / 40 })),
    ]
  }

  /// - Parameter keys: So many keys take turns; nil for a new one at every token.
  private static func sample(
    _ label: String, _ sample: RecurrenceSample, gates: Sample.Fill? = nil, keys: Int? = nil,
    beta: Sample.Fill = .uniform(0...1),
  ) -> Sample {
    let rows = sample.batch * sample.time * (sample.groups ?? sample.heads)
    let key = Sample.Fill.values(unitRows(rows, of: keys ?? rows, width: sample.width, seed: label))
    var fills = ["key": key, "beta": beta]
    fills["log_gate"] = gates
    return sample(label, fills) { Self(hasGate: gates != nil, $0) }
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
