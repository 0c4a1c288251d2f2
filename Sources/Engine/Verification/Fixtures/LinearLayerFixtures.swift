import Kernels

/// The small operations of linear-attention layers: convolution, gates, norms, feature maps.
enum LinearLayerFixtures: FixtureAdapter {
  static let operations = ["causal_conv1d"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    return try convolution(computation)
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
}
