import Kernels

/// The delta rule, gated or not.
enum DeltaFixtures: FixtureAdapter {
  static let operations = ["delta_rule", "gated_delta_rule"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let outputs = computation.tape.gatedDeltaRule(
      query: try computation.input("query"), key: try computation.input("key"),
      value: try computation.input("value"), beta: try computation.input("beta"),
      gate: fixture.operation == "delta_rule" ? nil : try computation.input("log_gate"),
      scale: Float(try fixture.attributes.number("scale")),
      initialState: try computation.optionalInput("initial_state"))
    return try computation.values(["output": outputs.output, "final_state": outputs.finalState])
  }
}
