import Kernels

extension KernelBenchmark {
  /// Updates of `count` parameters by an optimizer, as a training step makes them.
  ///
  /// - Parameters:
  ///   - rule: For example one of ``OptimizerCatalogue``.
  ///   - state: How its states are stored.
  public static func optimizer(
    _ rule: any UpdateRule, count: Int, state: Optimizer.StateFormat = .fp32,
  ) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] =
      [
        .init("rule", type(of: rule).name), .init("parameters", "\(count)"),
      ] + (state == .fp32 ? [] : [.init("state", state.rawValue)])
    // Parameter, gradient and state.
    let tensors = [Shape](repeating: [count], count: 2 + rule.stateNames.count)
    return KernelBenchmark("optimizer", parameters, tensors: tensors) { device in
      let problem = OptimizerProblem(rule, state, count: count, on: device)
      return PreparedBenchmark(
        cost: problem.cost, run: { problem.step() }, verify: { try problem.verify() })
    }
  }
}

/// One large parameter with gradient and state.
private final class OptimizerProblem {
  private static let rate = 1e-3

  private let rule: any UpdateRule
  private let device: any OperationDevice
  private let parameter: Parameter
  private let optimizer: Optimizer
  private let tape: Tape
  private let clip: GradientClip.Result
  /// Parameter, gradient and state before the first update.
  private let before: [[Float]]

  init(_ rule: any UpdateRule, _ state: Optimizer.StateFormat, count: Int, on device: any OperationDevice) {
    self.rule = rule
    self.device = device
    let store = ParameterStore(
      [ParameterSpecification("weight", [count], decays: true)], on: device, trains: true)
    parameter = store.parameters[0]
    let optimizer = Optimizer(rule, for: store, stateFormat: state)
    self.optimizer = optimizer
    tape = Tape(on: device, isRecording: false)
    let one = Tensor([Float(1)], shape: [1], on: device)
    clip = GradientClip.Result(factor: one, isFinite: one, norm: one)
    let total = store.values.count
    var before = ["parameter", "gradient"].map {
      BenchmarkValues.make(.normal(deviation: 0.1), count: total, stream: $0)
    }
    // Second moments are never negative.
    before += rule.stateNames.map {
      // In fewer bits only zeros are the same.
      optimizer.dynamicState.isEmpty
        ? BenchmarkValues.make(.uniform(1e-3...1e-2), count: total, stream: $0)
        : [Float](repeating: 0, count: total)
    }
    self.before = before
    device.write(before[0], to: store.values)
    if let gradients = store.gradients { device.write(before[1], to: gradients) }
    guard optimizer.dynamicState.isEmpty else { return }
    for (memory, values) in zip(optimizer.state, before[2...]) { device.write(values, to: memory) }
  }

  /// The state is read and written, the parameter too, the gradient is read.
  var cost: Cost {
    let state = optimizer.dynamicState.isEmpty ? 4 : 1 + 4 / Double(QuantizeDynamic.blockSize)
    let moved = 3 * 4 + 2 * state * Double(rule.stateNames.count)
    let arithmetic = Pointwise(program).cost(types(1), types(1)).flops
    return Cost(flops: arithmetic * Double(before[0].count), bytes: moved * Double(before[0].count))
  }

  func step() {
    // The same gradient again: forgotten ones would be zeroed first.
    parameter.gradientIsEmpty = false
    optimizer.step(learningRate: Self.rate, peakLearningRate: Self.rate, clip: clip, on: tape)
  }

  /// One update by the rule's definition, without what the optimizer adds (clipping by 1, keeping a finite step).
  private var program: PointwiseProgram {
    let (rule, hyper) = (rule, rule.hyperparameterCount)
    return PointwiseProgram(inputs: 2 + rule.stateNames.count + hyper) { x in
      let states = rule.stateNames.count
      let next = rule.update(
        parameter: x[0], gradient: x[1], state: Array(x[2..<2 + states]), hyper: Array(x[(2 + states)...]))
      return [next.parameter] + next.state
    }
  }

  private func types(_ count: Int) -> [TensorType] {
    (0..<2 + rule.stateNames.count).map { _ in TensorType([count], .float32) }
  }

  func verify() throws -> BenchmarkRow.Verification {
    let step = OptimizerStep(number: 1, learningRate: Self.rate, peakLearningRate: Self.rate, decays: true)
    let hyper = rule.hyperparameters(step).map { Float($0) }
    let tensors = 2 + rule.stateNames.count
    let operands =
      (0..<tensors).map { Pointwise.Operand($0) }
      + hyper.indices.map { Pointwise.Operand(tensors, .element($0)) }
    let chosen = BenchmarkChoice("elements").numbers(1000, of: 0..<parameter.shape.count)
    let check = BenchmarkCheck([
      .init(
        operation: Pointwise(program, operands: operands),
        inputs: (0..<tensors).map { _ in .init([chosen.count], chosen) } + [.init([hyper.count])],
        results: (0..<(optimizer.dynamicState.isEmpty ? tensors - 1 : 1)).map { .init($0, ofWhole: chosen) })
    ])
    // What states in fewer bits become is for the operation's own check.
    let after = [parameter.memory] + (optimizer.dynamicState.isEmpty ? optimizer.state : [])
    return try check.compare(after.map { try device.read($0, as: Float.self) }, inputs: before + [hyper])
  }
}
