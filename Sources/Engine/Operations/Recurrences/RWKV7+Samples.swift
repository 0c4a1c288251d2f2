import Kernels

extension RWKV7 {
  public static var samples: [Sample] {
    [
      sample("t5 k4 v8", time: 5, width: 4, valueWidth: 8),
      sample("step t1 state", time: 1, width: 20, valueWidth: 33, heads: 2, initial: true, batch: 2),
      sample("step t3 documents", time: 3, width: 4, valueWidth: 16, documents: 1),
      sample("t64 two sequences", time: 64, width: 5, valueWidth: 4, heads: 2, batch: 2),
      sample("t65 k16 v16 state", time: 65, width: 16, valueWidth: 16, initial: true),
      sample("t33 odd widths", time: 33, width: 7, valueWidth: 19, heads: 3),
      sample("t129 documents", time: 129, width: 4, valueWidth: 6, initial: true, documents: 7),
      sample("t40 long documents", time: 40, width: 4, valueWidth: 4, documents: 23),
      sample("t20 documents of one token", time: 20, width: 4, valueWidth: 4, initial: true, documents: 1),
      sample("t70 slow decay", time: 70, width: 4, valueWidth: 4, decays: -1e-4...0),
      // Gradients of decays are sums of differences q dq - k dk, which cancel where a channel is about to be forgotten.
      sample("t37 strong decay", time: 37, width: 6, valueWidth: 4, initial: true, decays: -8...0, slack: 2),
      sample("t20 below the least", time: 20, width: 4, valueWidth: 4, decays: -40 ... -10),
    ]
  }

  private static func sample(
    _ label: String, time: Int, width: Int, valueWidth: Int, heads: Int = 1, initial: Bool = false,
    documents: Int? = nil, batch: Int = 1, decays: ClosedRange<Double> = -0.6 ... -0.01,
    slack: Double = 1,
  ) -> Sample {
    let options = RecurrenceOptions(
      scale: 1, hasInitialState: initial, hasDocuments: documents != nil)
    let rows = Shape([batch, time, heads, width])
    // Lengths of about 0.6: as in the model, the removal takes back less than there is, or states would grow.
    let short = Sample.Fill.normal(deviation: 0.6 / Double(width).squareRoot())
    var inputs: [Sample.Input] = [
      .init(rows), .init(rows, .float32, .uniform(decays)), .init(rows), .init(rows, .float32, short),
      .init(rows, .float32, short), .init([batch, time, heads, valueWidth]),
    ]
    if initial { inputs.append(.init([batch, heads, width, valueWidth])) }
    if let documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / documents % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, RWKV7(options), inputs, gradients: documents == nil ? nil : Set(0..<inputs.count - 1),
      slack: slack)
  }
}

extension RWKV7Gradient {
  /// The forward's samples with cotangents, every other one with a cotangent of the final state.
  static var samples: [Sample] {
    RWKV7.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? RWKV7 else { return nil }
      let size = RecurrenceExtents(query: sample.inputs[0].type.shape, value: sample.inputs[5].type.shape)
      let hasFinal = index.isMultiple(of: 2)
      let state = Sample.Input([size.batch, size.heads, size.width, size.valueWidth])
      return Sample(
        sample.label, RWKV7Gradient(forward, hasFinalCotangent: hasFinal),
        sample.inputs + [.init(sample.inputs[5].type.shape)] + (hasFinal ? [state] : []), slack: sample.slack)
    }
  }
}
