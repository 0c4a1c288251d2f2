import Kernels

extension S4D {
  public static var samples: [Sample] {
    [
      sample("t1", time: 1, channels: 1, states: 1),
      sample("step state", batch: 2, time: 1, channels: 3, states: 3, initial: true),
      sample("two sequences", batch: 2, time: 5, channels: 3, states: 2),
      sample("two sequences state", batch: 2, time: 5, channels: 20, states: 3, initial: true),
      sample("t70 state", time: 70, channels: 4, states: 3, initial: true),
      sample("t64", time: 64, channels: 2, states: 2),
      sample("many channels", time: 33, channels: 35, states: 1),
      sample("t130 documents", time: 130, channels: 2, states: 2, initial: true, documents: 23),
      sample("documents of one token", batch: 2, time: 18, channels: 3, states: 1, documents: 1),
      sample("fast phases", time: 20, channels: 2, states: 3, phases: 20...80),
      sample("slow", time: 70, channels: 2, states: 3, phases: 0...0.1, logSteps: -8 ... -6),
    ]
  }

  private static func sample(
    _ label: String, batch: Int = 1, time: Int, channels: Int, states: Int, initial: Bool = false,
    documents: Int? = nil, phases: ClosedRange<Double> = 0...6, logSteps: ClosedRange<Double> = -5 ... -1,
  ) -> Sample {
    let matrix = Shape([channels, states])
    let state = Sample.Input([batch, channels, states])
    var inputs: [Sample.Input] = [
      .init([batch, time, channels]), .init([channels], .float32, .uniform(logSteps)),
      .init(matrix, .float32, .uniform(-2...1)), .init(matrix, .float32, .uniform(phases)), .init(matrix),
      .init(matrix), .init([channels]),
    ]
    if initial { inputs += [state, state] }
    if let documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / documents % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, S4D(hasInitialState: initial, hasDocuments: documents != nil), inputs,
      gradients: documents == nil ? nil : Set(0..<inputs.count - 1))
  }
}

extension S4DGradient {
  /// The forward's samples with cotangents, every other one with cotangents of the final states.
  static var samples: [Sample] {
    S4D.samples.enumerated().compactMap { index, sample in
      guard let forward = sample.operation as? S4D else { return nil }
      let (u, matrix) = (sample.inputs[0].type.shape, sample.inputs[2].type.shape)
      let hasFinals = index.isMultiple(of: 2)
      let state = Sample.Input([u[0], u[2], matrix[1]])
      return Sample(
        sample.label, S4DGradient(of: forward, hasFinalCotangents: hasFinals),
        sample.inputs + [.init(u)] + (hasFinals ? [state, state] : []))
    }
  }
}
