import Kernels

/// One decoder block of an architecture: a model of one layer, of which only the block runs.
enum BlockFixtures: FixtureAdapter {
  static let operations = ["llama_block", "qwen3_block", "gpt2_block"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let states = try computation.input("hidden_states")
    guard states.shape.rank == 3, states.shape.count > 0 else {
      throw fixture.invalid("'input.hidden_states' is \(states.type), not [batch, time, width]")
    }
    let isGPT2 = fixture.operation == "gpt2_block"
    let configuration = try isGPT2 ? gpt2(fixture, states.shape) : llama(fixture, states.shape)
    let architecture = try ArchitectureCatalogue.architecture(configuration.architecture)
    let prefix = isGPT2 ? "transformer.h.0." : "model.layers.0."
    let specifications = architecture.parameters(of: configuration)
    let own = specifications.filter { $0.name.hasPrefix(prefix) }
    try check(own, prefix, fixture)
    let store = ParameterStore(specifications, on: device, trains: computation.tape.isRecording)
    for specification in own {
      guard let parameter = store[specification.name] else { continue }
      device.write(
        try fixture.floats("input." + specification.name.dropFirst(prefix.count)), to: parameter.memory)
    }
    guard let decoder = try architecture.makeModel(configuration, store) as? Decoder,
      let block = decoder.blocks.first
    else { throw FixtureError.unsupported("\(configuration.architecture) is no stack of decoder blocks") }
    let context = ForwardContext(tape: computation.tape)
    let result = block(states, adding: nil, layer: 0, context)
    var values = try computation.values(["output": computation.tape.add(result.stream, result.update)])
    store.completeGradients()
    for specification in own {
      guard let parameter = store[specification.name], let gradient = parameter.gradient else { continue }
      values["gradient." + specification.name.dropFirst(prefix.count)] = try computation.read(
        Tensor(gradient, shape: parameter.shape))
    }
    return values
  }

  /// The block's weights are there in the shapes of the configuration, and nothing else is.
  private static func check(
    _ specifications: [ParameterSpecification], _ prefix: String, _ fixture: FixtureCase,
  ) throws {
    var known: Set<String> = ["hidden_states"]
    for specification in specifications {
      let name = String(specification.name.dropFirst(prefix.count))
      known.insert(name)
      let shape = try fixture.shape("input.\(name)")
      guard shape == specification.shape else {
        throw fixture.invalid("'input.\(name)' is \(shape), its attributes ask for \(specification.shape)")
      }
    }
    let surplus = fixture.names(after: "input.").filter { !known.contains($0) }
    guard surplus.isEmpty else {
      throw FixtureError.unsupported("no block here has the inputs \(surplus.joined(separator: ", "))")
    }
  }

  // MARK: Configurations

  private static let sizes = 1...1 << 20

  /// Width of the MLP: the axis that the residual stream does not have.
  private static func width(of name: String, axis: Int, _ fixture: FixtureCase) throws -> Int {
    let shape = try fixture.shape("input.\(name)")
    guard shape.rank == 2 else { throw fixture.invalid("'input.\(name)' is \(shape), not a matrix") }
    return shape[axis]
  }

  private static func checked(_ configuration: ModelConfiguration, _ fixture: FixtureCase) throws
    -> ModelConfiguration
  {
    let problems = configuration.problems
    guard problems.isEmpty else { throw ModelError.impossible(path: fixture.path, problems: problems) }
    return configuration
  }

  private static func llama(_ fixture: FixtureCase, _ states: Shape) throws -> ModelConfiguration {
    let attributes = fixture.attributes
    let convention = try attributes.text("rope", default: "half")
    guard convention == "half" else {
      throw FixtureError.unsupported("no block here rotates in the convention '\(convention)'")
    }
    let heads = try attributes.integer("heads", in: sizes)
    let headDimension = try attributes.integer("head_dim", in: sizes)
    return try checked(
      ModelConfiguration(
        architecture: fixture.operation == "qwen3_block" ? "qwen3" : "llama", layers: 1,
        modelDimension: states.last, heads: heads,
        keyValueHeads: try attributes.integer("kv_heads", in: sizes, default: heads),
        headDimension: headDimension,
        hiddenDimension: try width(of: "mlp.gate_proj.weight", axis: 0, fixture), vocabularySize: 1,
        contextLength: max(1, states[1]), normEpsilon: try attributes.number("epsilon"),
        attentionBias: fixture.contains("input.self_attn.q_proj.bias"),
        mlpBias: fixture.contains("input.mlp.gate_proj.bias"),
        activation: try attributes.choice("activation", default: .silu),
        rope: RotarySettings(theta: try attributes.number("theta"), rotaryDimensions: headDimension)), fixture
    )
  }

  private static func gpt2(_ fixture: FixtureCase, _ states: Shape) throws -> ModelConfiguration {
    let attributes = fixture.attributes
    let heads = try attributes.integer("heads", in: sizes)
    guard states.last.isMultiple(of: heads) else {
      throw fixture.invalid("\(heads) heads do not divide a width of \(states.last)")
    }
    return try checked(
      ModelConfiguration(
        architecture: "gpt2", layers: 1, modelDimension: states.last, heads: heads, keyValueHeads: heads,
        headDimension: states.last / heads,
        hiddenDimension: try width(of: "mlp.c_fc.weight", axis: 1, fixture),
        vocabularySize: 1, contextLength: max(1, states[1]), normEpsilon: try attributes.number("epsilon"),
        attentionBias: true, mlpBias: true,
        activation: try attributes.choice("activation", default: .geluTanh)),
      fixture)
  }
}
