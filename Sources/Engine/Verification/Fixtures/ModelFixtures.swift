import Files
import Kernels

/// A whole model: logits, hidden states, loss, the gradient of every parameter, and the greedy continuation.
///
/// A folder with config.json, weights, and `reference.safetensors`: a fixture of the operation `causal_lm`.
enum ModelFixtures {
  static let referenceFile = "reference.safetensors"

  static func values(
    of fixture: FixtureCase, folder: String, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let model: any LanguageModel
    do {
      model = try ModelFolder(folder).load(on: device, trains: true)
    } catch let error as ModelError {
      guard case .unknownArchitecture = error else { throw error }
      throw FixtureError.unsupported("\(error)")
    }
    var values = try forwardAndBackward(model, fixture)
    if fixture.contains("output.generated") {
      values["output.generated"] = try generated(model, fixture)
    }
    return values
  }

  private static func forwardAndBackward(_ model: any LanguageModel, _ fixture: FixtureCase) throws
    -> FixtureValues
  {
    let ids = try tokens("input_ids", of: model, fixture)
    let labels = try shiftedLabels(fixture, ids.shape)
    let device = model.parameters.device
    let tape = Tape(on: device, isRecording: true)
    var streams: [Tensor] = []
    let context = ForwardContext(tape: tape, onHiddenState: { streams.append($0) })
    let states = model.hiddenStates(Tensor(ids.values, shape: ids.shape, on: device), context)
    let scored = labels.count { $0 != ignored }
    // The loss that training takes, which never keeps the logits; these are made beside it.
    let loss = tape.linearCrossEntropy(
      hidden: states, weight: tape.parameter(model.head),
      labels: Tensor(labels, shape: [labels.count], on: device),
      CrossEntropyOptions(ignoreIndex: Int(ignored), scale: 1 / Double(max(1, scored)))
    ).loss
    let logits = Tape(on: device, isRecording: false).linear(states.detached, weight: model.head.value)
    tape.backward(from: loss)
    model.parameters.completeGradients()
    let computation = FixtureComputation(fixture, on: device)
    var values: FixtureValues = [
      "output.logits": try computation.read(logits), "output.loss": try computation.read(loss),
    ]
    for (index, stream) in streams.enumerated() {
      values["output.hidden_states.\(index)"] = try computation.read(stream)
    }
    for parameter in model.parameters.parameters {
      guard let gradient = parameter.gradient else { continue }
      let value = try computation.read(Tensor(gradient, shape: parameter.shape))
      for name in try spellings(parameter.name, model) { values["gradient.\(name)"] = value }
    }
    return values
  }

  private static let ignored: Int32 = -100

  private static func spellings(_ name: String, _ model: any LanguageModel) throws -> [String] {
    let architecture = try ArchitectureCatalogue.architecture(model.configuration.architecture)
    return [name] + architecture.alternativeNames(of: name)
  }

  /// Token ids [batch, time], checked against the vocabulary.
  private static func tokens(
    _ name: String, of model: any LanguageModel, _ fixture: FixtureCase,
  ) throws -> (values: [Int32], shape: Shape) {
    let shape = try fixture.shape("input.\(name)")
    guard shape.rank == 2, shape.count > 0 else {
      throw fixture.invalid("'input.\(name)' is \(shape), not [batch, time]")
    }
    let values = try fixture.integers("input.\(name)")
    let vocabulary = model.configuration.vocabularySize
    guard values.allSatisfy({ $0 >= 0 && Int($0) < vocabulary }) else {
      throw fixture.invalid("'input.\(name)' has ids outside the vocabulary 0..<\(vocabulary)")
    }
    return (values, shape)
  }

  /// The label of each position: the token after it.
  private static func shiftedLabels(_ fixture: FixtureCase, _ shape: Shape) throws -> [Int32] {
    let labels = try fixture.integers("input.labels")
    guard try fixture.shape("input.labels") == shape else {
      throw fixture.invalid("'input.labels' and 'input.input_ids' differ in shape")
    }
    let time = shape[1]
    return labels.indices.map { $0 % time == time - 1 ? ignored : labels[$0 + 1] }
  }

  /// Greedy tokens after the prompt, one at a time with cached keys and values.
  private static func generated(_ model: any LanguageModel, _ fixture: FixtureCase) throws -> FixtureValue {
    let prompt = try tokens("prompt", of: model, fixture)
    let shape = try fixture.shape("output.generated")
    guard prompt.shape[0] == 1, shape.rank == 2, shape[0] == 1 else {
      throw fixture.invalid(
        "'output.generated' is \(shape) for prompts \(prompt.shape): one sequence is expected")
    }
    let length = prompt.values.count + shape[1]
    guard length <= model.configuration.contextLength else {
      throw fixture.invalid(
        "\(length) tokens exceed the model's context of \(model.configuration.contextLength)")
    }
    let generator = Generator(model, options: SamplingOptions(temperature: 0), capacity: length)
    var tokens: [Int32] = []
    var next = prompt.values
    while tokens.count < shape[1] {
      try generator.read(next)
      let token = generator.next()
      tokens.append(token)
      next = [token]
    }
    return FixtureValue(shape.dimensions, tokens.map(Double.init))
  }
}
