import Kernels

extension GatedLinearAttention {
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
      sample("t130 near one", time: 130, width: 4, valueWidth: 4, gates: .uniform(-1e-5...0)),
      sample("t70 strong", time: 70, width: 6, valueWidth: 4, initial: true, gates: .uniform(-8 ... -2)),
      sample("t37 mixed", time: 37, width: 4, valueWidth: 4, gates: .values(mixedGates(37 * 4))),
      sample("t20 below the least gate", time: 20, width: 4, valueWidth: 4, gates: .uniform(-40 ... -10)),
    ]
  }

  /// Gates that keep, that halve and that end the memory, in every channel.
  private static func mixedGates(_ count: Int) -> [Float] {
    (0..<count).map { (index: Int) -> Float in
      switch index * 5 % 7 {
      case 0: -30
      case 1: -8
      case 2: -0.7
      default: -1e-4
      }
    }
  }

  private static func sample(
    _ label: String, time: Int, width: Int, valueWidth: Int, heads: Int = 1, initial: Bool = false,
    documents: Int? = nil, batch: Int = 1, gates: Sample.Fill = .uniform(-0.7 ... -0.01),
  ) -> Sample {
    let options = RecurrenceOptions(
      scale: 1 / Float(width).squareRoot(), hasInitialState: initial, hasDocuments: documents != nil)
    let rows = Shape([batch, time, heads, width])
    var inputs: [Sample.Input] = [
      .init(rows), .init(rows), .init([batch, time, heads, valueWidth]), .init(rows, .float32, gates),
    ]
    if initial { inputs.append(.init([batch, heads, width, valueWidth])) }
    if let documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / documents % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, GatedLinearAttention(options), inputs,
      gradients: documents == nil ? nil : Set(0..<inputs.count - 1))
  }
}

extension GatedLinearAttentionGradient {
  /// The forward's samples with cotangents, every other one with a cotangent of the final state.
  static var samples: [Sample] {
    GatedLinearAttention.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? GatedLinearAttention else { return nil }
      let size = RecurrenceExtents(query: sample.inputs[0].type.shape, value: sample.inputs[2].type.shape)
      let hasFinal = index.isMultiple(of: 2)
      let state = Sample.Input([size.batch, size.heads, size.width, size.valueWidth])
      return Sample(
        sample.label, GatedLinearAttentionGradient(forward, hasFinalCotangent: hasFinal),
        sample.inputs + [.init(sample.inputs[2].type.shape)] + (hasFinal ? [state] : []))
    }
  }
}
