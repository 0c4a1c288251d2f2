import Kernels

extension LinearAttentionProblem {
  /// The operation that is timed, with its inputs.
  var whole: OperationProblem {
    switch pass {
    case .forward:
      OperationProblem(mixer.operation(options(hasInitialState: false)), inputs, check: check)
    case .decode:
      OperationProblem(
        mixer.operation(options(hasInitialState: true)), inputs + [.init(stateShape)], check: check)
    case .backward:
      OperationProblem(
        mixer.gradient(options(hasInitialState: false), hasFinalCotangent: false),
        inputs + [.init(outputShape)], check: check)
    }
  }

  /// The widths of the gradients in order: those of the inputs, without a decay that is a constant.
  private var gradientWidths: [Int] {
    operands.compactMap { operand in
      switch operand.extent {
      case .row(let width): width
      case .number: 1
      case .perHead: nil
      }
    }
  }

  /// One whole head, the same in every run.
  private var check: BenchmarkCheck {
    let random = CounterRandom(seed: 5, stream: "recurrence \(batch) \(time) \(heads)")
    let head = RecurrenceHead(
      batch: random.integer(0, below: batch), head: random.integer(1, below: heads))
    let tokens = { (width: Int) in head.elements(of: self, tokens: 0..<self.time, width: width) }
    let places =
      pass == .backward ? gradientWidths.map(tokens) : [tokens(valueWidth), head.state(of: self)]
    let reference = RecurrenceHeadReference(self, head)
    var check = BenchmarkCheck([], factor: pass == .backward ? 3 : 2)
    check.further = places.enumerated().map { output, elements in
      .init(output: output, elements: elements) { inputs, _ in reference.values(of: output, inputs) }
    }
    return check
  }

  /// Inputs and results; those of the backward have the inputs' shapes.
  var tensors: [Shape] {
    let inputs = inputs.map(\.type.shape)
    return pass == .backward ? inputs + inputs + [outputShape] : inputs + [outputShape, stateShape]
  }

  /// Softmax attention of the same lengths.
  fileprivate var attention: AttentionProblem {
    AttentionProblem(
      pass == .backward ? .backward : .forward, batch: batch, time: time, heads: heads, keyHeads: heads,
      width: width)
  }
}

extension KernelBenchmark {
  /// A linear mixer's recurrence on random operands.
  ///
  /// - Parameter besideAttention: Causal softmax attention of the same lengths is measured in alternation; it needs equal
  ///   widths of keys and values and more than one token.
  public static func linearAttention(
    _ problem: LinearAttentionProblem, besideAttention: Bool = false,
  ) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("mixer", problem.mixer.rawValue), .init("time", "\(problem.time)"),
      .init("heads", "\(problem.heads)"), .init("width", "\(problem.width)"),
      .init("value_width", "\(problem.valueWidth)"), .init("batch", "\(problem.batch)"),
    ]
    let rival = besideAttention ? problem.attention : nil
    return KernelBenchmark(
      "linear_attention_\(problem.pass.rawValue)", parameters,
      tensors: problem.tensors + (rival?.tensors ?? [])
    ) { device in
      var prepared = try PreparedBenchmark(problem.whole, on: device)
      prepared.tokens = problem.batch * problem.time
      if let rival {
        let attention = try KernelBenchmark.attention(rival).prepare(device)
        prepared.rivals = [
          .init(
            name: "softmax", run: attention.run, finish: { try device.finish() },
            verify: attention.verify, cost: attention.cost)
        ]
      }
      return prepared
    }
  }
}
