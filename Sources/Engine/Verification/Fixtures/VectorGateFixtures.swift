import Kernels

/// Recurrences over matrix states that decay by one factor per key channel.
enum VectorGateFixtures: FixtureAdapter {
  static let operations = ["gated_linear_attention"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let outputs = computation.tape.gatedLinearAttention(
      query: try computation.input("query"), key: try computation.input("key"),
      value: try computation.input("value"), gate: try computation.input("log_gate"),
      scale: Float(try fixture.attributes.number("scale")),
      initialState: try computation.optionalInput("initial_state"))
    return try computation.values(["output": outputs.output, "final_state": outputs.finalState])
  }
}
