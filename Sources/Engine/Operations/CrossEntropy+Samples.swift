import Kernels

/// The cases of the four operations: attributes against sizes below, at and above a vector.
enum CrossEntropySamples {
  struct Case {
    var label: String
    var options = CrossEntropyOptions()
    var rows: Int
    var columns: Int
    var labels: [Int]?
    var deviation = 2.0

    /// Labels that visit the columns in an irregular order, or the given ones.
    var labelInput: Sample.Input {
      let values = labels ?? (0..<rows).map { ($0 * 7 + 3) % columns }
      return .init([rows], .int32, .values(values.map { Float($0) }))
    }
  }

  private static let ignored = -100
  private static let mixed = CrossEntropyOptions(labelSmoothing: 0.15, softcap: 4, zLoss: 0.02, scale: 0.2)

  static let cases: [Case] = [
    Case(label: "n1 v1", rows: 1, columns: 1),
    Case(label: "n3 v1", rows: 3, columns: 1),
    Case(label: "n2 v7", rows: 2, columns: 7),
    Case(label: "n3 v8 scale", options: .init(scale: 0.25), rows: 3, columns: 8),
    Case(label: "n4 v17 first and last", rows: 4, columns: 17, labels: [0, 16, 8, 15]),
    Case(label: "n5 v11 ignored", rows: 5, columns: 11, labels: [ignored, 3, ignored, 10, 0]),
    Case(label: "n3 v9 all ignored", rows: 3, columns: 9, labels: [ignored, ignored, ignored]),
    Case(
      label: "n4 v9 ignored is a column", options: .init(ignoreIndex: 0), rows: 4, columns: 9,
      labels: [0, 3, 0, 8]),
    Case(
      label: "n4 v19 smoothing", options: .init(labelSmoothing: 0.1), rows: 4, columns: 19,
      labels: [2, ignored, 18, 5]),
    Case(label: "n4 v13 softcap", options: .init(softcap: 5), rows: 4, columns: 13, deviation: 6),
    Case(label: "n4 v12 z", options: .init(zLoss: 0.1), rows: 4, columns: 12, labels: [11, ignored, 0, 1]),
    Case(label: "n5 v23 all options", options: mixed, rows: 5, columns: 23, labels: [22, 0, ignored, 16, 7]),
  ]

  /// A label outside the columns: no gradient to check, as everything there is NaN.
  static let invalid = Case(
    label: "n3 v10 invalid labels", rows: 4, columns: 10, labels: [10, 4, -1, Int(Int32.max) - 127])

  /// Cotangents of the loss alone, and of all three results.
  static let cotangents = [
    CrossEntropyCotangents(ofLoss: true),
    CrossEntropyCotangents(ofLoss: true, ofTokenLosses: true, ofLogSumExp: true),
  ]

  static func inputs(_ cotangents: CrossEntropyCotangents, rows: Int) -> [Sample.Input] {
    (cotangents.ofLoss ? [.init([1])] : []) + (cotangents.ofTokenLosses ? [.init([rows])] : [])
      + (cotangents.ofLogSumExp ? [.init([rows])] : [])
  }

  /// Hidden states and weight whose products have the wanted size.
  static func linearInputs(_ sample: Case, width: Int, hasBias: Bool) -> [Sample.Input] {
    [
      .init([sample.rows, width], .float32, .normal(deviation: sample.deviation)),
      .init([sample.columns, width], .float32, .normal(deviation: 0.5)),
    ] + (hasBias ? [.init([sample.columns])] : []) + [sample.labelInput]
  }
}

extension CrossEntropy {
  public static var samples: [Sample] {
    let plain =
      CrossEntropySamples.cases + [
        .init(label: "n2 v300", rows: 2, columns: 300),
        // One element of softmax is 1, the others vanish: a difference quotient only sees the slope.
        .init(label: "n3 v20 large", rows: 3, columns: 20, deviation: 300),
      ]
    return plain.map { sample in
      let fill = Sample.Fill.normal(deviation: sample.deviation)
      return Sample(
        sample.label, CrossEntropy(sample.options),
        [.init([sample.rows, sample.columns], .float32, fill), sample.labelInput])
    } + unchecked
  }

  /// Cases whose gradient is not compared with differences: too many elements, or NaN.
  private static var unchecked: [Sample] {
    let invalid = CrossEntropySamples.invalid
    return [
      Sample(
        invalid.label, CrossEntropy(), [.init([invalid.rows, invalid.columns]), invalid.labelInput],
        gradients: []),
      // More rows than one share of the sum.
      Sample(
        "n2050 v3", CrossEntropy(), [.init([2050, 3]), .init([2050], .int32, .integers(0..<3))], gradients: []
      ),
    ]
  }
}

extension CrossEntropyGradient {
  public static var samples: [Sample] {
    let cases =
      CrossEntropySamples.cases + [
        CrossEntropySamples.invalid,
        .init(label: "n2 v600", rows: 2, columns: 600),
        .init(label: "n1 v33003", rows: 1, columns: 33_003),
        .init(label: "n3 v20 large", rows: 3, columns: 20, deviation: 300),
      ]
    return cases.flatMap { sample in
      CrossEntropySamples.cotangents.map { cotangents in
        Sample(
          sample.label + (cotangents.ofTokenLosses ? " all cotangents" : ""),
          CrossEntropyGradient(sample.options, cotangents: cotangents),
          [
            .init([sample.rows, sample.columns], .float32, .normal(deviation: sample.deviation)),
            sample.labelInput,
          ]
            + CrossEntropySamples.inputs(cotangents, rows: sample.rows))
      }
    }
  }
}

extension LinearCrossEntropy {
  public static var samples: [Sample] {
    CrossEntropySamples.cases.enumerated().map { index, sample in
      // Every chunk size and the bias in turn.
      let hasBias = index % 2 == 1
      let chunk = [nil, 1, 2, 3][index % 4]
      return Sample(
        sample.label + (hasBias ? " bias" : "") + (chunk.map { " chunk\($0)" } ?? ""),
        LinearCrossEntropy(sample.options, hasBias: hasBias, chunkRows: chunk),
        CrossEntropySamples.linearInputs(sample, width: [1, 3, 5][index % 3], hasBias: hasBias))
    }
  }
}

extension LinearCrossEntropyWithGradient {
  /// The gradients are outputs here, and compared as such; that they are right is what the samples of
  /// ``LinearCrossEntropy`` show, whose backward is this operation.
  public static var samples: [Sample] {
    let kinds = [CrossEntropyCotangents()] + CrossEntropySamples.cotangents
    return (CrossEntropySamples.cases + [CrossEntropySamples.invalid]).enumerated().map { index, sample in
      let hasBias = index % 2 == 0
      let chunk = [nil, 1, 2, 3][index % 4]
      let cotangents = kinds[index % 3]
      let accumulates = index % 3 == 1
      return Sample(
        sample.label + (hasBias ? " bias" : "") + (chunk.map { " chunk\($0)" } ?? "")
          + (accumulates ? " accumulate" : ""),
        LinearCrossEntropyWithGradient(
          sample.options, hasBias: hasBias, weightGradient: index % 5 == 2 ? .none : .output,
          cotangents: cotangents,
          chunkRows: chunk, accumulates: accumulates && index % 5 != 2),
        CrossEntropySamples.linearInputs(sample, width: [1, 3, 5][index % 3], hasBias: hasBias)
          + CrossEntropySamples.inputs(cotangents, rows: sample.rows),
        initialOutput: accumulates && index % 5 != 2 ? .normal(deviation: 1) : nil, gradients: [])
    }
  }
}
