import Kernels

/// A linear mixer that is made of several operations, to be timed between its queries, keys and values and its output.
public struct ComposedMixerProblem: Sendable, Hashable {
  /// A mixer under its name in configurations.
  public enum Mixer: String, Sendable, Hashable, CaseIterable {
    case normAttention = "norm_attention"
    case diagAttention = "diag_attention"
    case flow
    case hedgehog

    var kind: any LinearMixerKind.Type {
      switch self {
      case .normAttention: NormAttentionMixer.self
      case .diagAttention: DiagAttentionMixer.self
      case .flow: FlowMixer.self
      case .hedgehog: HedgehogMixer.self
      }
    }
  }

  public enum Pass: String, Sendable, Hashable, CaseIterable {
    case forward
    /// Forward and backward: what the one keeps for the other is part of it.
    case step
    /// One more token behind a state.
    case decode
  }

  public var mixer: Mixer
  public var pass: Pass
  public var batch: Int
  /// Tokens of a sequence; those of the state and one more for ``Pass/decode``.
  public let time: Int
  public var heads: Int
  /// Values of a query's and a key's head.
  public var width: Int
  /// Values of a value's head.
  public var valueWidth: Int

  /// Tokens that the state of ``Pass/decode`` has seen.
  static let past = 40

  public init(
    _ mixer: Mixer, _ pass: Pass, batch: Int = 1, time: Int, heads: Int, width: Int, valueWidth: Int,
  ) {
    self.mixer = mixer
    self.pass = pass
    self.batch = batch
    self.time = pass == .decode ? Self.past + 1 : time
    self.heads = heads
    self.width = width
    self.valueWidth = valueWidth
  }

  /// A layer of so many heads.
  func configuration(heads: Int) -> ModelConfiguration {
    var configuration = ModelConfiguration(
      architecture: Hybrid.modelType, layers: 1, modelDimension: heads * width, heads: heads,
      keyValueHeads: heads, headDimension: width, hiddenDimension: 1, vocabularySize: 1, contextLength: time)
    configuration.mixers.kinds = [mixer.rawValue]
    configuration.mixers.heads = LinearHeads(
      keyHeads: heads, heads: heads, keyWidth: width, valueWidth: valueWidth)
    return configuration
  }

  /// Widths of queries, keys and values, and of the output's cotangent.
  var widths: [Int] { [width, width, valueWidth] + (pass == .step ? [valueWidth] : []) }

  /// Widths of the results: the output, then the gradients of queries, keys and values.
  var resultWidths: [Int] { [valueWidth] + (pass == .step ? [width, width, valueWidth] : []) }

  /// Every input's values [batch, time, heads, width].
  var values: [[Float]] {
    widths.enumerated().map { index, width in
      BenchmarkValues.make(
        .normal(deviation: 1), count: batch * time * heads * width, stream: "input \(index)")
    }
  }

  /// Where the numbers of the one head that is compared whole lie among those of so many tokens.
  fileprivate func elements(_ tokens: Range<Int>, of time: Int, width: Int) -> [Int] {
    let random = CounterRandom(seed: 5, stream: "mixer \(batch) \(self.time) \(heads)")
    let (sequence, head) = (random.integer(0, below: batch), random.integer(1, below: heads))
    return tokens.flatMap { token in
      let start = ((sequence * time + token) * heads + head) * width
      return start..<start + width
    }
  }
}

/// A problem's tensors on a device, for all heads or one alone.
private final class ComposedMixer {
  private let problem: ComposedMixerProblem
  private let device: any OperationDevice
  private let kind: any LinearMixerKind
  private let store: ParameterStore
  private let cache: DecodingCache?
  private let inputs: [Tensor]
  private var states: [Tensor] = []

  /// - Parameter isWhole: False takes the one head that is compared.
  init(_ problem: ComposedMixerProblem, isWhole: Bool, on device: any OperationDevice) throws {
    self.problem = problem
    self.device = device
    let (batch, heads) = isWhole ? (problem.batch, problem.heads) : (1, 1)
    let configuration = problem.configuration(heads: heads)
    let shape = MixerShape(configuration, layer: 0)
    let list = problem.mixer.kind.parameters(shape)
    let store = ParameterStore(
      list.map { ParameterSpecification($0.name, $0.shape, decays: $0.decays) }, on: device,
      trains: problem.pass == .step)
    for parameter in list {
      guard let place = store[parameter.name], let start = parameter.start else { continue }
      device.write(
        start.values(count: parameter.shape.count, seed: 1, name: parameter.name), to: place.memory)
    }
    self.store = store
    kind = try problem.mixer.kind.init(shape, NamedParameters(store).callAsFunction)
    let isDecoding = problem.pass == .decode
    cache = isDecoding ? DecodingCache(for: configuration, capacity: 1, on: device) : nil
    let whole = zip(problem.values, problem.widths).map { values, width in
      let all = problem.elements(0..<problem.time, of: problem.time, width: width)
      return Tensor(
        isWhole ? values : all.map { values[$0] }, shape: [batch, problem.time, heads, width], on: device)
    }
    guard isDecoding else {
      inputs = whole
      return
    }
    let tape = Tape(on: device, isRecording: false)
    let parts = whole.map { Self.cut($0, at: ComposedMixerProblem.past, tape) }
    inputs = parts.map { $0[1] }
    states = mixed(parts.map { $0[0] }, tape).states
  }

  private static func cut(_ x: Tensor, at time: Int, _ tape: Tape) -> [Tensor] {
    let (batch, row) = (x.shape[0], x.shape[2] * x.shape[3])
    let times = [time, x.shape[1] - time]
    let parts = tape.apply(
      SplitColumns(widths: times.map { $0 * row }), [x.reshaped(to: [batch, x.shape[1] * row])])
    return zip(parts, times).map { $0.reshaped(to: [batch, $1, x.shape[2], x.shape[3]]) }
  }

  private func mixed(_ inputs: [Tensor], _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    kind(
      LinearMixerOperands(
        x: inputs[0], query: inputs[0], key: inputs[1], value: inputs[2], states: states, position: 0,
        documents: nil, cache: cache, layer: 0), tape)
  }

  /// The output, and the gradients where they are asked for.
  func run() -> [Tensor] {
    let isStep = problem.pass == .step
    let tape = Tape(on: device, isRecording: isStep)
    store.clearGradients()
    let operands = inputs.prefix(3).map { tape.watch($0) }
    let output = mixed(operands, tape).output
    guard isStep else { return [output] }
    let gradients = tape.gradients(of: [output], with: [inputs[3]], for: operands)
    return [output] + gradients.compactMap { $0 }
  }
}

extension KernelBenchmark {
  /// A linear mixer of several operations on random operands.
  public static func composedMixer(_ problem: ComposedMixerProblem) -> KernelBenchmark {
    let isDecoding = problem.pass == .decode
    let parameters: [BenchmarkRow.Parameter] = [
      .init("mixer", problem.mixer.rawValue), .init("time", "\(isDecoding ? 1 : problem.time)"),
      .init("heads", "\(problem.heads)"), .init("width", "\(problem.width)"),
      .init("value_width", "\(problem.valueWidth)"), .init("batch", "\(problem.batch)"),
    ]
    let tensors = (problem.widths + problem.resultWidths).map {
      [problem.batch, problem.time, problem.heads, $0] as Shape
    }
    return KernelBenchmark(
      "linear_attention_\(problem.pass.rawValue)", parameters, tensors: tensors
    ) { device in
      let mixer = try ComposedMixer(problem, isWhole: true, on: device)
      try device.finish()
      return PreparedBenchmark(
        cost: try cost(of: problem, on: device.description),
        tokens: problem.batch * (isDecoding ? 1 : problem.time),
        run: {
          _ = mixer.run()
          try device.failure.throwIfSet()
        },
        verify: { try check(problem).compare(mixer.run().map { try $0.floats(on: device) }, inputs: []) })
    }
  }

  /// What the operations count as their work, one by one.
  private static func cost(of problem: ComposedMixerProblem, on description: DeviceDescription) throws -> Cost
  {
    let device = PlanningDevice(for: description)
    let mixer = try ComposedMixer(problem, isWhole: true, on: device)
    // States of the tokens before are made when the mixer is.
    let before = device.total
    _ = mixer.run()
    return Cost(flops: device.total.flops - before.flops, bytes: device.total.bytes - before.bytes)
  }

  /// One whole head by the definitions of the operations.
  private static func check(_ problem: ComposedMixerProblem) throws -> BenchmarkCheck {
    let double = ReferenceDevice<Double>()
    let float = ReferenceDevice<Float>()
    let truth = try ComposedMixer(problem, isWhole: false, on: double).run().map { double.values($0.memory) }
    let plain = try ComposedMixer(problem, isWhole: false, on: float).run().map {
      float.values($0.memory).map(Double.init)
    }
    let time = problem.pass == .decode ? 1 : problem.time
    var check = BenchmarkCheck([], factor: problem.pass == .step ? 3 : 2)
    check.further = problem.resultWidths.enumerated().map { output, width in
      // Means over one token and over thousands differ in size.
      .init(
        output: output, elements: problem.elements(0..<time, of: time, width: width), rowLength: width
      ) { _, _ in (truth[output], plain[output]) }
    }
    return check
  }
}
