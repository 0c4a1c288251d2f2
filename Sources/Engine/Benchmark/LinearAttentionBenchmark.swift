import Kernels

extension LinearAttentionProblem {
  /// The operation that is timed, with its inputs.
  var whole: OperationProblem {
    let head = CheckedHead(of: self)
    let plain = mixer.operation(options(hasInitialState: false))
    switch pass {
    case .forward: return OperationProblem(plain, inputs, check: check(head))
    case .decode:
      return OperationProblem(
        mixer.operation(options(hasInitialState: true)), inputs + [.init(stateShape)], check: check(head))
    case .backward:
      let cotangent = Sample.Input(outputShape, .float32, .values(head.cotangent(of: self)))
      return OperationProblem(gradient(plain), inputs + [cotangent], check: check(head))
    }
  }

  private func gradient(_ forward: any Recurrence) -> any Operation {
    func make(_ forward: some Recurrence) -> any Operation { gradient(forward, hasFinalCotangent: false) }
    return make(forward)
  }

  /// The operands whose gradients are outputs.
  private var gradients: [RecurrenceOperand] {
    let forward = mixer.operation(options(hasInitialState: false))
    let left = mixer.needsOptionalGradient ? nil : forward.optionalGradient
    return forward.operands.indices.filter { $0 != left }.map { forward.operands[$0].gradient }
  }

  /// Some columns of one head, the same in every run.
  private func check(_ head: CheckedHead) -> BenchmarkCheck {
    let output = RecurrenceOperand("output", .value)
    let results = pass == .backward ? gradients : [output]
    let reference = CheckedHeadReference(self, head)
    var check = BenchmarkCheck([], factor: pass == .backward ? 3 : 2)
    check.further = results.enumerated().map { output, result in
      let isWhole = result.extent == .row
      return .init(
        output: output, elements: head.elements(of: result, size, tokens: 0..<time),
        rowLength: isWhole ? width : nil
      ) { inputs, _ in reference.values(of: output, inputs) }
    }
    if pass != .backward {
      check.further.append(
        .init(output: 1, elements: head.state(size)) { inputs, _ in reference.values(of: 1, inputs) })
    }
    return check
  }

  /// What the kernels do: the chunked form's arithmetic, where a sequence is long enough for it.
  func cost(moving bytes: Double) -> Cost {
    let recurrence = type(of: mixer.operation(options(hasInitialState: false)))
    let passes = recurrence.chunkPasses(ChunkExtents(size, .host, units: 1))
    let perToken =
      pass == .backward
      ? passes.backward
      : time > ChunkConfiguration.longestStep
        ? passes.forward : recurrence.statePasses.forward * Double(size.stateCount)
    return Cost(flops: 2 * perToken * Double(batch * time * heads), bytes: bytes)
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
      prepared.cost = prepared.cost.map { problem.cost(moving: $0.bytes) }
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
