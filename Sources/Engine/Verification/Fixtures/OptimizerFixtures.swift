import Kernels

/// Optimizers step by step, and learning-rate schedules.
enum OptimizerFixtures: FixtureAdapter {
  static let operations = [SGD.name, Adam.name, AdamW.name, "learning_rate_schedule"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    switch fixture.operation {
    case "learning_rate_schedule": try schedule(fixture)
    default: try steps(fixture, rule(fixture), on: device)
    }
  }

  private static func rule(_ fixture: FixtureCase) throws -> any UpdateRule {
    let attributes = fixture.attributes
    let decay = try attributes.number("weight_decay", default: 0)
    if fixture.operation == SGD.name {
      return SGD(
        momentum: try attributes.number("momentum", default: 0),
        dampening: try attributes.number("dampening", default: 0),
        nesterov: try attributes.flag("nesterov", default: false), weightDecay: decay)
    }
    let (beta1, beta2) = (try attributes.number("beta1"), try attributes.number("beta2"))
    let epsilon = try attributes.number("epsilon")
    if fixture.operation == Adam.name {
      return Adam(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay)
    }
    return AdamW(
      beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay,
      decayMode: try attributes.choice("decay_mode", default: .scaledByLearningRate))
  }

  /// The given gradients one after the other, through the optimizer that training uses.
  private static func steps(
    _ fixture: FixtureCase, _ rule: any UpdateRule, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let shape = try fixture.shape("input.parameter")
    let all = try fixture.shape("input.gradients")
    guard all.rank == shape.rank + 1, Array(all.dimensions.dropFirst()) == shape.dimensions, shape.count > 0
    else {
      throw fixture.invalid("'input.gradients' is \(all), not [steps, ...] of the parameter's \(shape)")
    }
    let rates = try learningRates(fixture, steps: all[0])
    let gradients = try fixture.floats("input.gradients")
    let store = ParameterStore(
      [ParameterSpecification("parameter", shape, decays: true)], on: device, trains: true)
    guard let parameter = store["parameter"], let gradient = parameter.gradient, let arena = store.gradients
    else {
      throw fixture.invalid("no parameter was made for it")
    }
    device.write(try fixture.floats("input.parameter"), to: parameter.memory)
    let optimizer = Optimizer(rule, for: store)
    let tape = Tape(on: device, isRecording: false)
    var values: [Double] = []
    for (step, rate) in rates.enumerated() {
      device.write(Array(gradients[step * shape.count..<(step + 1) * shape.count]), to: gradient)
      parameter.gradientIsEmpty = false
      let clip = GradientClip(maximumNorm: 0)(Tensor(arena, shape: [arena.count]), on: tape)
      optimizer.step(learningRate: rate, peakLearningRate: rates.max() ?? 0, clip: clip, on: tape)
      values += try device.read(parameter.memory, as: Float.self).map(Double.init)
    }
    return ["output.parameters": FixtureValue(all.dimensions, values)]
  }

  private static func learningRates(_ fixture: FixtureCase, steps: Int) throws -> [Double] {
    guard fixture.contains("input.learning_rates") else {
      return [Double](repeating: try fixture.attributes.number("learning_rate"), count: steps)
    }
    let rates = try fixture.value("input.learning_rates").values
    guard rates.count == steps else {
      throw fixture.invalid("it has \(rates.count) learning rates for \(steps) steps")
    }
    return rates
  }

  private static func schedule(_ fixture: FixtureCase) throws -> FixtureValues {
    let attributes = fixture.attributes
    let limit = 0...1 << 24
    let name = try attributes.text("decay_shape", default: LearningRateSchedule.DecayShape.linear.rawValue)
    // Fixtures write 1-sqrt, configurations 1_sqrt.
    let spelling = String(name.map { $0 == "-" ? "_" : $0 })
    guard let shape = LearningRateSchedule.DecayShape(rawValue: spelling) else {
      throw FixtureError.unsupported("no schedule here decays in the shape '\(name)'")
    }
    let total = try attributes.integer("total_steps", in: limit)
    let schedule = LearningRateSchedule(
      kind: try attributes.choice("kind"), peak: try attributes.number("peak"),
      minimum: try attributes.number("minimum", default: 0), totalSteps: total,
      warmupSteps: try attributes.integer("warmup_steps", in: limit, default: 0),
      decaySteps: try attributes.integer("decay_steps", in: limit, default: 0), decayShape: shape)
    return ["output.learning_rates": FixtureValue([total], (0..<total).map { schedule($0 + 1) })]
  }
}

/// Clipping of gradients: by their common norm, each by its own, or value by value.
enum GradientClipFixtures: FixtureAdapter {
  static let operations = ["clip_gradient_global_norm", "clip_gradient_per_tensor", "clip_gradient_value"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let names = fixture.names(after: "input.")
    guard !names.isEmpty else { throw fixture.invalid("it has no gradients") }
    if fixture.operation == "clip_gradient_value" {
      let maximum = try fixture.attributes.number("maximum")
      let program = PointwiseProgram(inputs: 1) { x in
        [x[0].maximum(x[0].constant(-maximum)).minimum(x[0].constant(maximum))]
      }
      let clipped = try names.map { try computation.apply(Pointwise(program), [computation.input($0)])[0] }
      return try computation.values(Dictionary(uniqueKeysWithValues: zip(names, clipped)))
    }
    let clip = GradientClip(
      maximumNorm: try fixture.attributes.number("maximum_norm"),
      epsilon: try fixture.attributes.number("epsilon"))
    let groups = fixture.operation == "clip_gradient_per_tensor" ? names.map { [$0] } : [names]
    var values: FixtureValues = [:]
    for group in groups { values.merge(try clipped(group, clip, computation)) { $1 } }
    return values
  }

  /// Clips the gradients of a group by their common norm, in an arena as training keeps them.
  private static func clipped(
    _ names: [String], _ clip: GradientClip, _ computation: FixtureComputation,
  ) throws -> FixtureValues {
    let fixture = computation.fixture
    let store = ParameterStore(
      try names.map { ParameterSpecification($0, try fixture.shape("input.\($0)"), decays: false) },
      on: computation.device, trains: true)
    for parameter in store.parameters {
      guard let gradient = parameter.gradient else { continue }
      computation.device.write(try fixture.floats("input.\(parameter.name)"), to: gradient)
    }
    guard let arena = store.gradients else { throw fixture.invalid("no gradients were made for it") }
    let result = clip(Tensor(arena, shape: [arena.count]), on: computation.tape)
    var outputs = ["norm": result.norm]
    for parameter in store.parameters {
      guard let gradient = parameter.gradient else { continue }
      let tensor = Tensor(gradient, shape: parameter.shape)
      let program = PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }
      let scaling = Pointwise(program, operands: [.init(0), .init(1, .element(0))])
      outputs[parameter.name] = try computation.apply(scaling, [tensor, result.factor])[0]
    }
    return try computation.values(outputs)
  }
}
