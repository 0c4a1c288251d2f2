import Kernels

/// The small operations of linear-attention layers: convolution, gates, norms, feature maps, decays.
enum LinearLayerFixtures: FixtureAdapter {
  static let operations = [
    "causal_conv1d", "l2_normalize", "gated_rms_norm", "log_gate", "hedgehog_feature_map",
    "linear_attention_decay", "s4d",
  ]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    if fixture.operation == "linear_attention_decay" { return try decays(fixture) }
    let computation = FixtureComputation(fixture, on: device)
    switch fixture.operation {
    case "causal_conv1d": return try convolution(computation)
    case "l2_normalize": return try computation.values(["output": try unitRows(computation)])
    case "gated_rms_norm": return try computation.values(["output": try gatedNorm(computation)])
    case "s4d": return try stateSpace(computation)
    case "log_gate": return try computation.values(["output": try logGate(computation)])
    default: return try computation.values(["output": try hedgehog(computation)])
    }
  }

  private static func convolution(_ computation: FixtureComputation) throws -> FixtureValues {
    let attributes = computation.fixture.attributes
    let layout = try attributes.text("layout", default: "btc")
    guard layout == "btc" else {
      throw FixtureError.unsupported("the convolution has no layout '\(layout)' here")
    }
    let weight = try computation.input("weight")
    let bias = try computation.optionalInput("bias")
    let state = try computation.optionalInput("initial_state")
    let documents = try computation.optionalInput("document_ids")
    let operation = CausalConvolution(
      width: weight.shape.last, activation: try attributes.choice("activation"), hasBias: bias != nil,
      hasState: state != nil, hasDocuments: documents != nil)
    let operands = [try computation.input("x"), weight] + [bias, state, documents].compactMap { $0 }
    let outputs = try computation.apply(operation, operands)
    return try computation.values(["output": outputs[0], "final_state": outputs[1]])
  }

  private static func unitRows(_ computation: FixtureComputation) throws -> Tensor {
    let attributes = computation.fixture.attributes
    let operation = L2Normalization(
      mode: try attributes.choice("mode"), epsilon: try attributes.number("epsilon"))
    return try computation.apply(operation, [computation.input("x")])[0]
  }

  private static func gatedNorm(_ computation: FixtureComputation) throws -> Tensor {
    let attributes = computation.fixture.attributes
    let operation = GatedRMSNorm(
      order: try attributes.choice("order"), gate: try attributes.choice("activation"),
      epsilon: try attributes.number("epsilon"))
    return try computation.apply(operation, ["x", "gate", "weight"].map { try computation.input($0) })[0]
  }

  private static func logGate(_ computation: FixtureComputation) throws -> Tensor {
    let attributes = computation.fixture.attributes
    switch try attributes.text("kind") {
    case "logsigmoid":
      let normalizer = try attributes.number("normalizer")
      guard normalizer > 0 else {
        throw FixtureError.attribute(
          path: computation.fixture.path, key: "normalizer", value: "\(normalizer)",
          expected: "a positive number")
      }
      return try computation.apply(
        LogGate.logSigmoid(normalizer: normalizer).operation, [computation.input("x")])[0]
    case "rwkv7": return try computation.apply(LogGate.rwkv7.operation, [computation.input("x")])[0]
    case "softplus_a":
      let operands = try ["x", "a_log", "dt_bias"].map { try computation.input($0) }
      return try computation.apply(LogGate.softplusA.operation, operands)[0]
    case let other: throw FixtureError.unsupported("nothing here makes a gate of kind '\(other)'")
    }
  }

  private static func hedgehog(_ computation: FixtureComputation) throws -> Tensor {
    let fixture = computation.fixture
    let (x, weight) = (try computation.input("x"), try computation.input("weight"))
    let bias = try computation.optionalInput("bias")
    guard x.shape.rank == 4, weight.shape.rank == 3, weight.shape[0] == x.shape[2],
      weight.shape[1] == x.shape[3],
      bias.map({ $0.shape == [weight.shape[0], weight.shape[2]] }) ?? true
    else {
      throw fixture.invalid("'input.x' \(x.type), 'input.weight' \(weight.type) and the bias do not fit")
    }
    return computation.tape.hedgehogFeatureMap(
      x, weight: weight, bias: bias, kind: try fixture.attributes.choice("activation"))
  }

  /// The recurrent form with its gradients, and the convolution kernel.
  private static func stateSpace(_ computation: FixtureComputation) throws -> FixtureValues {
    let fixture = computation.fixture
    let method = try fixture.attributes.text("discretization")
    guard method == "zoh", try fixture.attributes.flag("conjugate_pairs", default: true) else {
      throw FixtureError.unsupported(
        "nothing here discretizes a state space by '\(method)' and without pairs")
    }
    let names = ["u", "log_dt", "log_a_real", "a_imag", "c_real", "c_imag", "d"]
    let operands = try names.map { try computation.input($0) }
    let states = try ["real", "imag"].compactMap { try computation.optionalInput("initial_state_\($0)") }
    let outputs = try computation.apply(S4D(hasInitialState: states.count == 2), operands + states)
    let parameters = S4DParameters(
      logTimeStep: operands[1].detached, logNegativeReal: operands[2].detached,
      imaginary: operands[3].detached, outputReal: operands[4].detached,
      outputImaginary: operands[5].detached, skip: operands[6].detached)
    let time = operands[0].shape[1]
    let plain = Tape(on: computation.device, isRecording: false)
    let kernel = plain.s4dKernel(parameters, time: time)
    let channels = kernel.shape[1]
    let lines = plain.apply(SwapAxes(), [kernel.reshaped(to: [1, time, channels, 1])])[0]
    var values = try computation.values([
      "output": outputs[0], "final_state_real": outputs[1], "final_state_imag": outputs[2],
    ])
    values["output.kernel"] = try computation.read(lines.reshaped(to: [channels, time]))
    return values
  }

  private static func decays(_ fixture: FixtureCase) throws -> FixtureValues {
    let attributes = fixture.attributes
    let kind: LinearAttentionDecay = try attributes.choice("kind")
    let heads = try attributes.integer("heads", in: 1...1 << 20)
    let layers = try attributes.integer("layers", in: 1...1 << 20)
    let layer = try attributes.integer("layer", in: 0...layers - 1)
    let decays = kind.logDecays(heads: heads, layer: layer, layers: layers)
    return ["output.log_decay": FixtureValue([heads], decays)]
  }
}
