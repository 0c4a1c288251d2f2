import Kernels

extension CausalConvolution {
  public static var samples: [Sample] {
    // Sequences, tokens, channels, taps.
    let sizes = [(1, 1, 1, 2), (2, 5, 12, 4), (1, 3, 9, 4), (2, 2, 7, 5), (1, 37, 20, 3), (1, 11, 8, 16)]
    let plain = sizes.flatMap { sequences, time, channels, width in
      [false, true].map { isFull in
        let operation = CausalConvolution(
          width: width, activation: isFull ? .silu : .none, hasBias: isFull, hasState: isFull)
        return sample("", operation, sequences, time, channels)
      }
    }
    // Beyond the length of a block of tokens and the number of channels of a work-item.
    let large = [(1, 300, 5), (2, 258, 3), (1, 3, 261)].map { sequences, time, channels in
      sample(
        "", CausalConvolution(width: 4, activation: .silu, hasBias: true, hasState: true), sequences, time,
        channels)
    }
    return plain + large + documentSamples
  }

  private static var documentSamples: [Sample] {
    let long = (0..<140).map { Float($0 < 6 ? 3 : $0 < 7 ? 4 : $0 < 126 ? 5 : $0 < 129 ? 3 : 9) }
    return [true, false].flatMap { hasState in
      [
        sample(
          " documents",
          CausalConvolution(width: 4, activation: .silu, hasState: hasState, hasDocuments: true),
          2, 7, 10, documents: [0, 0, 1, 1, 1, 1, 2] + [5, 6, 6, 6, 6, 6, 6]),
        sample(
          " documents",
          CausalConvolution(
            width: 4, activation: .none, hasBias: true, hasState: hasState, hasDocuments: true),
          1, 140, 20, documents: long),
      ]
    }
  }

  private static func sample(
    _ label: String, _ operation: CausalConvolution, _ sequences: Int, _ time: Int, _ channels: Int,
    documents: [Float] = [],
  ) -> Sample {
    let width = operation.width
    var inputs: [Sample.Input] = [.init([sequences, time, channels]), .init([channels, width])]
    if operation.hasBias { inputs.append(.init([channels])) }
    if operation.hasState { inputs.append(.init([sequences, channels, width - 1])) }
    if operation.hasDocuments { inputs.append(.init([sequences, time], .int32, .values(documents))) }
    let flags = (operation.hasBias ? " bias" : "") + (operation.hasState ? " state" : "") + label
    return Sample(
      "\(operation.activation.rawValue) b\(sequences) t\(time) c\(channels) w\(width)\(flags)", operation,
      inputs)
  }
}

extension CausalConvolutionGradient {
  static var samples: [Sample] {
    [(1, 1, 3, 2), (2, 6, 17, 4), (1, 131, 9, 4), (2, 139, 37, 4)].flatMap {
      sequences, time, channels, width in
      [false, true].map { isFull in
        let forward = CausalConvolution(
          width: width, activation: isFull ? .silu : .none, hasBias: isFull, hasState: isFull)
        let gradient = CausalConvolutionGradient(
          of: forward, sequences: sequences, time: time, hasFinalCotangent: isFull)
        let state = Sample.Input([sequences, channels, width - 1])
        var inputs: [Sample.Input] = [.init([sequences, time, channels]), .init([channels, width])]
        if isFull { inputs += [.init([channels]), state] }
        inputs += [.init([sequences, time, channels])] + (isFull ? [state] : [])
        return Sample(
          "b\(sequences) t\(time) c\(channels) w\(width)\(isFull ? " full" : "")", gradient, inputs)
      }
    }
  }
}
