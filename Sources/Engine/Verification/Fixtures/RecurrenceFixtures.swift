import Kernels

/// Recurrences over matrix states.
enum RecurrenceFixtures: FixtureAdapter {
  static let operations = ["retention", "scalar_gated_linear_attention", "ssd"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
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
