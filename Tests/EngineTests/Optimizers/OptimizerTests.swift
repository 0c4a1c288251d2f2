import Files
import Glibc
import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct OptimizerTests {
  private static let names = DeviceCatalog.list().map(\.name)
  private static let rules: [any UpdateRule] = [
    AdamW(weightDecay: 0.2), AdamW(beta1: 0.8, beta2: 0.999, weightDecay: 0.05, decayMode: .independent),
    Adam(weightDecay: 0.1), SGD(momentum: 0, weightDecay: 0.1),
    SGD(momentum: 0.9, dampening: 0.3, weightDecay: 0.01),
    SGD(momentum: 0.7, nesterov: true),
  ]

  /// One update of one number in double precision, as the papers write it.
  private struct PlainRule {
    let rule: any UpdateRule
    let decays: Bool
    var value: Double
    var first = 0.0
    var second = 0.0

    mutating func update(_ gradient: Double, rate: Double, peak: Double, step: Int) {
      switch rule {
      case let rule as AdamW:
        let decayRate = rule.decayMode == .independent ? rate / peak : rate
        if decays { value -= decayRate * rule.weightDecay * value }
        adam(gradient, rate, step, rule.beta1, rule.beta2, rule.epsilon)
      case let rule as Adam:
        adam(
          gradient + (decays ? rule.weightDecay * value : 0), rate, step, rule.beta1, rule.beta2, rule.epsilon
        )
      case let rule as SGD:
        let decayed = gradient + (decays ? rule.weightDecay * value : 0)
        guard rule.momentum != 0 else {
          value -= rate * decayed
          return
        }
        first = step == 1 ? decayed : rule.momentum * first + (1 - rule.dampening) * decayed
        value -= rate * (rule.nesterov ? decayed + rule.momentum * first : first)
      default: Issue.record("no plain form of \(rule)")
      }
    }

    private mutating func adam(
      _ gradient: Double, _ rate: Double, _ step: Int, _ beta1: Double, _ beta2: Double, _ epsilon: Double,
    ) {
      first = beta1 * first + (1 - beta1) * gradient
      second = beta2 * second + (1 - beta2) * gradient * gradient
      let meanFirst = first / (1 - pow(beta1, Double(step)))
      let meanSecond = second / (1 - pow(beta2, Double(step)))
      value -= rate * meanFirst / (meanSecond.squareRoot() + epsilon)
    }
  }

  private func makeStore(on device: any OperationDevice) throws -> ParameterStore {
    let store = ParameterStore(
      [
        .init("bias", [7], decays: false), .init("weight", [3, 5], decays: true),
        .init("other", [33], decays: true),
      ],
      on: device, trains: true)
    for parameter in store.parameters {
      device.write(
        CounterRandom(seed: 1, stream: parameter.name).normals(parameter.shape.count, deviation: 1),
        to: parameter.memory)
    }
    return store
  }

  private func setGradients(of store: ParameterStore, _ values: (Parameter) -> [Float]) throws {
    for parameter in store.parameters {
      store.device.write(values(parameter), to: try #require(parameter.gradient))
      parameter.gradientIsEmpty = false
    }
  }

  private func clip(_ store: ParameterStore, at maximum: Double, on tape: Tape) throws -> GradientClip.Result
  {
    let gradients = try #require(store.gradients)
    return GradientClip(maximumNorm: maximum)(Tensor(gradients, shape: [gradients.count]), on: tape)
  }

  private func bits(_ memory: Memory, on device: any OperationDevice) throws -> [UInt32] {
    try device.read(memory, as: Float.self).map(\.bitPattern)
  }

  @Test(arguments: names, rules.indices)
  func trajectoriesMatchDoublePrecision(name: String, rule index: Int) throws {
    let rule = Self.rules[index]
    let device = try DeviceCatalog.openForOperations(name)
    let store = try makeStore(on: device)
    let optimizer = Optimizer(rule, for: store)
    let tape = Tape(on: device, isRecording: false)
    var plain: [String: [PlainRule]] = [:]
    for parameter in store.parameters {
      let values = try device.read(parameter.memory, as: Float.self)
      plain[parameter.name] = values.map {
        PlainRule(rule: rule, decays: parameter.decays, value: Double($0))
      }
    }
    for step in 1...25 {
      let rate = 0.02 * Double(26 - step) / 25
      // Large gradients in some steps, so that clipping acts in some.
      let deviation = step % 4 == 0 ? 3.0 : 0.05
      func gradient(_ parameter: Parameter) -> [Float] {
        CounterRandom(seed: UInt64(step), stream: parameter.name).normals(
          parameter.shape.count, deviation: deviation)
      }
      try setGradients(of: store, gradient)
      optimizer.step(
        learningRate: rate, peakLearningRate: 0.02, clip: try clip(store, at: 1, on: tape), on: tape)
      let all = store.parameters.flatMap { gradient($0).map(Double.init) }
      let norm = all.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let factor = min(1, 1 / (norm + 1e-6))
      #expect((factor < 1) == (step % 4 == 0))
      for parameter in store.parameters {
        for (element, value) in gradient(parameter).enumerated() {
          plain[parameter.name]?[element].update(Double(value) * factor, rate: rate, peak: 0.02, step: step)
        }
      }
    }
    #expect(optimizer.stepCount == 25)
    for parameter in store.parameters {
      let values = try device.read(parameter.memory, as: Float.self).map(Double.init)
      let expected = try #require(plain[parameter.name])
      #expect(relativeError(values, expected.map(\.value)) < 2e-6, "\(parameter.name)")
      let range = try #require(store.range(of: parameter.name))
      for (position, stateName) in rule.stateNames.enumerated() {
        let state = try device.read(optimizer.state[position], as: Float.self)[range].map(Double.init)
        let plainState = expected.map { position == 0 ? $0.first : $0.second }
        #expect(relativeError(state, plainState) < 4e-6, "\(stateName) of \(parameter.name)")
      }
    }
    // Padding never takes a value.
    let arena = try device.read(store.values, as: Float.self)
    let ranges = store.parameters.compactMap { store.range(of: $0.name) }
    #expect(arena.indices.allSatisfy { index in arena[index] == 0 || ranges.contains { $0.contains(index) } })
  }

  @Test(arguments: names, [Float.nan, .infinity, -.infinity, 1e25])
  func aGradientThatIsNotFiniteChangesNothing(name: String, bad: Float) throws {
    for rule in Self.rules {
      let device = try DeviceCatalog.openForOperations(name)
      let store = try makeStore(on: device)
      let optimizer = Optimizer(rule, for: store)
      let tape = Tape(on: device, isRecording: false)
      try setGradients(of: store) { [Float](repeating: 0.5, count: $0.shape.count) }
      optimizer.step(
        learningRate: 0.1, peakLearningRate: 0.1, clip: try clip(store, at: 1, on: tape), on: tape)
      let before = try ([store.values] + optimizer.state).map { try bits($0, on: device) }
      try setGradients(of: store) { parameter in
        var values = [Float](repeating: 0.5, count: parameter.shape.count)
        if parameter.name == "weight" { values[14] = bad }
        return values
      }
      let clipped = try clip(store, at: 1, on: tape)
      optimizer.step(learningRate: 0.1, peakLearningRate: 0.1, clip: clipped, on: tape)
      #expect(try clipped.isFinite.floats(on: device) == [0])
      #expect(try ([store.values] + optimizer.state).map { try bits($0, on: device) } == before, "\(rule)")
      // The next step goes on as if nothing had been.
      try setGradients(of: store) { [Float](repeating: 0.5, count: $0.shape.count) }
      optimizer.step(
        learningRate: 0.1, peakLearningRate: 0.1, clip: try clip(store, at: 1, on: tape), on: tape)
      #expect(try device.read(store.values, as: Float.self).allSatisfy { $0.isFinite })
      #expect(try bits(store.values, on: device) != before[0])
    }
  }

  @Test(arguments: names) func decayActsOnDecayedParametersAlone(name: String) throws {
    let device = try DeviceCatalog.openForOperations(name)
    let store = try makeStore(on: device)
    let optimizer = Optimizer(AdamW(weightDecay: 0.5), for: store)
    let tape = Tape(on: device, isRecording: false)
    let before = try store.parameters.map { try device.read($0.memory, as: Float.self) }
    // No parameter received a gradient: what the arena holds must not be taken for one.
    device.write([Float](repeating: 9, count: store.values.count), to: try #require(store.gradients))
    store.clearGradients()
    store.completeGradients()
    let one = GradientClip.Result(
      factor: Tensor([1] as [Float], shape: [1], on: device),
      isFinite: Tensor([1] as [Float], shape: [1], on: device),
      norm: Tensor([0] as [Float], shape: [1], on: device))
    optimizer.step(learningRate: 0.1, peakLearningRate: 0.1, clip: one, on: tape)
    for (parameter, old) in zip(store.parameters, before) {
      let new = try device.read(parameter.memory, as: Float.self)
      if parameter.decays {
        #expect(zip(new, old).allSatisfy { abs($0 - $1 * 0.95) <= abs($1) * 2e-7 }, "\(parameter.name)")
      } else {
        #expect(new == old, "\(parameter.name)")
      }
    }
  }

  @Test(arguments: names) func theClipFactorIsThatOfTheNorm(name: String) throws {
    let device = try DeviceCatalog.openForOperations(name)
    let tape = Tape(on: device, isRecording: false)
    func result(_ values: [Float], _ maximum: Double) throws -> [Float] {
      let clip = GradientClip(maximumNorm: maximum)(
        Tensor(values, shape: [values.count], on: device), on: tape)
      return try [clip.norm, clip.factor, clip.isFinite].flatMap { try $0.floats(on: device) }
    }
    func isClose(_ a: [Float], _ b: [Float]) -> Bool {
      zip(a, b).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) }
    }
    #expect(isClose(try result([3, 4], 10), [5, 1, 1]))
    #expect(isClose(try result([3, 4], 1), [5, 1 / (5 + 1e-6), 1]))
    #expect(isClose(try result([0, 0, 0], 1), [0, 1, 1]))
    #expect(isClose(try result([300, 400], 0), [500, 1, 1]), "no maximum")
    #expect(isClose(try result([300, 400], -1), [500, 1, 1]), "no maximum")
    for bad in [Float.nan, .infinity, 1e25] {
      let found = try result([1, bad, 1], 1)
      #expect(!found[0].isFinite)
      #expect(found[2] == 0)
    }
  }

  @Test func rulesFitTheSmallWrite() {
    for rule in Self.rules {
      #expect(rule.hyperparameterCount <= Memory.smallWriteLimit)
      for decays in [false, true] {
        let step = OptimizerStep(number: 1, learningRate: 0.1, peakLearningRate: 0.1, decays: decays)
        #expect(rule.hyperparameters(step).count == rule.hyperparameterCount)
        #expect(rule.hyperparameters(step).allSatisfy { $0.isFinite })
      }
    }
  }

  @Test func stateIsNamedAfterItsParameters() throws {
    let store = try makeStore(on: HostDevice(threads: 1))
    let optimizer = Optimizer(AdamW(), for: store)
    #expect(
      optimizer.stateTensors.map { "\($0.name) \($0.type.rawValue) \($0.shape)" } == [
        "first_moment.bias F32 [7]", "first_moment.weight F32 [3, 5]", "first_moment.other F32 [33]",
        "second_moment.bias F32 [7]", "second_moment.weight F32 [3, 5]", "second_moment.other F32 [33]",
      ])
    optimizer.restore(stepCount: 41)
    #expect(optimizer.stepCount == 41)
  }

  @Test func theFirstDampenedStepTakesTheWholeGradient() {
    let rule = SGD(momentum: 0.9, dampening: 0.4)
    func factor(_ number: Int) -> Double {
      rule.hyperparameters(OptimizerStep(number: number, learningRate: 1, peakLearningRate: 1, decays: true))[
        3]
    }
    #expect(factor(1) == 1)
    #expect(factor(2) == 0.6)
  }
}
