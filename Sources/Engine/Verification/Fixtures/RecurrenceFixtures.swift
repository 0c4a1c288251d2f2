import Kernels

/// Recurrences over matrix states.
enum RecurrenceFixtures: FixtureAdapter {
  static let operations = [
    "flow_attention", "linear_attention", "retention", "scalar_gated_linear_attention", "ssd",
  ]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    if fixture.operation == "linear_attention" { return try linearAttention(computation) }
    if fixture.operation == "flow_attention" {
      let output = computation.tape.flowAttention(
        query: try computation.input("query"), key: try computation.input("key"),
        value: try computation.input("value"), isCausal: try fixture.attributes.flag("causal"),
        epsilon: try fixture.attributes.number("epsilon"))
      return try computation.values(["output": output])
    }
    let outputs: (output: Tensor, finalState: Tensor)
    if fixture.operation == "ssd" {
      outputs = try stateSpaceDual(computation)
    } else {
      let initial = try computation.optionalInput("initial_state")
      outputs = computation.tape.scalarGatedLinearAttention(
        query: try computation.input("query"), key: try computation.input("key"),
        value: try computation.input("value"),
        gate: try computation.input(fixture.operation == "retention" ? "log_decay" : "log_gate"),
        scale: Float(try fixture.attributes.number("scale")), initialState: initial)
    }
    return try computation.values(["output": outputs.output, "final_state": outputs.finalState])
  }

  /// Without a gate; the sum of keys is a tensor of its own there and a column of the state here.
  private static func linearAttention(_ computation: FixtureComputation) throws -> FixtureValues {
    let (fixture, tape) = (computation.fixture, computation.tape)
    let attributes = fixture.attributes
    let name = try attributes.text("feature_map")
    guard let map = FeatureMap(rawValue: name) else {
      throw FixtureError.unsupported("there is no feature map '\(name)' here")
    }
    let options = LinearAttentionOptions(
      map, normalizes: try attributes.flag("normalize"), scale: Float(try attributes.number("scale")),
      epsilon: try attributes.number("epsilon", default: 0))
    let (query, key) = (try computation.input("query"), try computation.input("key"))
    let value = try computation.input("value")
    guard try attributes.flag("causal") else {
      let output = tape.bidirectionalLinearAttention(query: query, key: key, value: value, options: options)
      return try computation.values(["output": output])
    }
    let (width, valueWidth) = (key.shape[3], value.shape[3])
    let rows = value.shape[0] * value.shape[2] * width
    var initial = try computation.optionalInput("initial_state")
    if options.normalizes, let state = initial {
      let normalizer = try computation.input("initial_normalizer").reshaped(to: [rows, 1])
      initial = tape.apply(
        JoinColumns(widths: [valueWidth, 1]), [state.reshaped(to: [rows, valueWidth]), normalizer])[0]
        .reshaped(to: [value.shape[0], value.shape[2], width, valueWidth + 1])
    }
    let (output, state) = tape.linearAttention(
      query: query, key: key, value: value, options: options, initialState: initial)
    guard options.normalizes else { return try computation.values(["output": output, "final_state": state]) }
    let parts = tape.apply(
      SplitColumns(widths: [valueWidth, 1]), [state.reshaped(to: [rows, valueWidth + 1])])
    let shape: Shape = [value.shape[0], value.shape[2], width]
    return try computation.values([
      "output": output, "final_normalizer": parts[1].reshaped(to: shape),
      "final_state": parts[0].reshaped(to: Shape(shape.dimensions + [valueWidth])),
    ])
  }

  /// Mamba-2's recurrence from its own operands.
  private static func stateSpaceDual(
    _ computation: FixtureComputation,
  ) throws -> (output: Tensor, finalState: Tensor) {
    let x = try computation.input("x")
    return computation.tape.stateSpaceDual(
      x: x, step: try computation.input("dt"), decay: try computation.input("a"),
      write: try computation.input("b"),
      read: try computation.input("c"), skip: try computation.optionalInput("d"),
      initialState: try computation.optionalInput("initial_state"))
  }
}
