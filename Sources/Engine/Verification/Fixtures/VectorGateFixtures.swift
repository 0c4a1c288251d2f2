import Kernels

/// Recurrences over matrix states that decay by one factor per key channel.
enum VectorGateFixtures: FixtureAdapter {
  static let operations = ["gated_linear_attention", "rwkv7"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let scale = Float(try fixture.attributes.number("scale"))
    let initial = try computation.optionalInput("initial_state")
    let (key, value) = (try computation.input("key"), try computation.input("value"))
    let outputs =
      fixture.operation == "rwkv7"
      ? computation.tape.rwkv7(
        receptance: try computation.input("receptance"), logDecay: try computation.input("log_decay"),
        key: key, value: value, removal: try computation.input("removal"),
        replacement: try computation.input("replacement"), scale: scale, initialState: initial)
      : computation.tape.gatedLinearAttention(
        query: try computation.input("query"), key: key, value: value,
        gate: try computation.input("log_gate"), scale: scale, initialState: initial)
    return try computation.values(["output": outputs.output, "final_state": outputs.finalState])
  }
}
