import Files
import Kernels

/// Cross-entropy in its forms, of logits and of hidden states.
///
/// The labels are called `labels` in some areas and `targets` in others.
enum LossFixtures: FixtureAdapter {
  static let operations = [
    "cross_entropy", "z_loss_cross_entropy", "label_smoothed_cross_entropy", "linear_cross_entropy",
  ]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let name = fixture.contains("input.targets") ? "targets" : "labels"
    let labels = try fixture.integers("input.\(name)")
    let options = try options(fixture, labels)
    if fixture.operation == "linear_cross_entropy" {
      return try linear(fixture, options, labels: name, on: device)
    }
    let computation = FixtureComputation(fixture, on: device)
    let inputs = [try computation.input("logits"), try computation.input(name)]
    let outputs = try computation.apply(CrossEntropy(options), inputs)
    var values = try computation.values([
      "loss": outputs[0], "token_losses": outputs[1], "log_sum_exp": outputs[2],
    ])
    if fixture.contains("output.z_loss") {
      let sums = try computation.read(outputs[2]).values
      let squares = zip(sums, labels).reduce(0.0) {
        $0 + ($1.1 == Int32(options.ignoreIndex) ? 0 : $1.0 * $1.0)
      }
      values["output.z_loss"] = FixtureValue([1], [options.zLoss * options.scale * squares])
    }
    return values
  }

  private static func options(_ fixture: FixtureCase, _ labels: [Int32]) throws -> CrossEntropyOptions {
    let attributes = fixture.attributes
    let ignored = try attributes.integer("ignore_index", in: -1 << 31...(1 << 31) - 1, default: -100)
    let scored = labels.count { $0 != Int32(ignored) }
    let scale: Double
    switch try attributes.text("reduction", default: "mean") {
    case "mean": scale = 1 / Double(max(1, scored))
    case "sum": scale = 1
    case let other: throw FixtureError.unsupported("nothing here reduces a loss by '\(other)'")
    }
    let smoothing = attributes.object["smoothing"] == nil ? "label_smoothing" : "smoothing"
    return CrossEntropyOptions(
      ignoreIndex: ignored, labelSmoothing: try attributes.number(smoothing, default: 0),
      softcap: try attributes.number("softcap", default: 0),
      zLoss: try attributes.number("z_loss", default: 0),
      scale: scale)
  }

  // MARK: Of hidden states

  /// The loss as training takes it: the gradients are made together with it and added to parameters.
  private static func linear(
    _ fixture: FixtureCase, _ options: CrossEntropyOptions, labels: String, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let names = ["hidden", "weight"] + (fixture.contains("input.bias") ? ["bias"] : [])
    let labels = try fixture.tensor("input.\(labels)", on: device)
    let operands = try names.map { try fixture.tensor("input.\($0)", on: device) }
    let operation = LinearCrossEntropy(options, hasBias: names.count == 3)
    _ = try operation.outputTypes(for: operands.map(\.type) + [labels.type])
    let cotangent = try fixture.contains("cotangent.loss") ? fixture.value("cotangent.loss").values : [1]
    guard cotangent == [1] else {
      return try linearAsPart(fixture, operation, names, labels: labels, on: device)
    }
    let store = ParameterStore(
      zip(names, operands).map { ParameterSpecification($0, $1.shape, decays: false) }, on: device,
      trains: true)
    for parameter in store.parameters {
      device.write(try fixture.floats("input.\(parameter.name)"), to: parameter.memory)
    }
    let tape = Tape(on: device, isRecording: true)
    let inputs = store.parameters.map { tape.parameter($0) }
    let result = tape.linearCrossEntropy(
      hidden: inputs[0], weight: inputs[1], bias: inputs.count == 3 ? inputs[2] : nil, labels: labels, options
    )
    tape.backward(from: result.loss)
    store.completeGradients()
    let computation = FixtureComputation(fixture, on: device)
    var values: FixtureValues = [
      "output.loss": try computation.read(result.loss),
      "output.token_losses": try computation.read(result.tokenLosses),
      "output.log_sum_exp": try computation.read(result.logSumExp),
    ]
    for parameter in store.parameters {
      guard let gradient = parameter.gradient else { continue }
      values["gradient.\(parameter.name)"] = try computation.read(Tensor(gradient, shape: parameter.shape))
    }
    return values
  }

  /// The loss as a part of something else: its cotangent is any number.
  private static func linearAsPart(
    _ fixture: FixtureCase, _ operation: LinearCrossEntropy, _ names: [String], labels: Tensor,
    on device: any OperationDevice,
  ) throws -> FixtureValues {
    let computation = FixtureComputation(fixture, on: device)
    let outputs = try computation.apply(operation, try names.map { try computation.input($0) } + [labels])
    return try computation.values(["loss": outputs[0], "token_losses": outputs[1], "log_sum_exp": outputs[2]])
  }
}
