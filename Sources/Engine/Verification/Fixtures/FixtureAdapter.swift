import Kernels

/// Computes what the fixtures of a family of operations ask for, with the operations that training uses.
protocol FixtureAdapter: Sendable {
  /// The values of `op` that the family serves.
  static var operations: [String] { get }

  /// Computes every tensor that `fixture` expects.
  ///
  /// - Throws: `FixtureError.unsupported` for attributes that nothing here serves; any other error is a failure.
  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues
}

/// All families; adding one is one file and one line here.
enum FixtureCatalogue {
  static let adapters: [any FixtureAdapter.Type] = [
    AttentionFixtures.self, TransformerFixtures.self, BlockFixtures.self, NormalizationFixtures.self,
    LossFixtures.self, OptimizerFixtures.self, GradientClipFixtures.self, LinearLayerFixtures.self,
    RecurrenceFixtures.self, DeltaFixtures.self, VectorGateFixtures.self, FormatFixtures.self,
    BlockFormatFixtures.self, IntegerGroupFixtures.self, CodebookFixtures.self, PackingFixtures.self,
    DelayedScaleFixtures.self, RoundedLinearFixtures.self, AdapterFixtures.self, GGUFFixtures.self,
    UniformFixtures.self,
  ]

  static func adapter(for operation: String) -> (any FixtureAdapter.Type)? {
    adapters.first { $0.operations.contains(operation) }
  }
}

/// A fixture being computed: its inputs on the device and a tape that records when gradients are asked for.
final class FixtureComputation {
  let fixture: FixtureCase
  let device: any OperationDevice
  let tape: Tape
  private var watched: [(name: String, tensor: Tensor)] = []

  init(_ fixture: FixtureCase, on device: any OperationDevice) {
    self.fixture = fixture
    self.device = device
    tape = Tape(on: device, isRecording: !fixture.names(after: "gradient.").isEmpty)
  }

  /// `input.<name>` on the device; watched when its gradient is expected.
  func input(_ name: String) throws -> Tensor {
    if let known = watched.first(where: { $0.name == name }) { return known.tensor }
    let tensor = try fixture.tensor("input.\(name)", on: device)
    guard fixture.contains("gradient.\(name)") else { return tensor }
    guard tensor.type.element == .float32 else {
      throw fixture.invalid(
        "it expects the gradient of '\(name)', whose elements are \(tensor.type.element.rawValue)")
    }
    let variable = tape.watch(tensor)
    watched.append((name, variable))
    return variable
  }

  /// The same, nil when the fixture has no such input.
  func optionalInput(_ name: String) throws -> Tensor? {
    fixture.contains("input.\(name)") ? try input(name) : nil
  }

  /// Runs an operation; tensors that do not fit it are an error here, as they come from a file.
  func apply(_ operation: some Operation, _ inputs: [Tensor]) throws -> [Tensor] {
    _ = try operation.outputTypes(for: inputs.map(\.type))
    return tape.apply(operation, inputs)
  }

  /// Reads the outputs and the gradients of all watched inputs for the fixture's cotangents.
  ///
  /// - Parameter outputs: By the name after `output.`.
  func values(_ outputs: [String: Tensor]) throws -> FixtureValues {
    var values: FixtureValues = [:]
    for (name, tensor) in outputs { values["output.\(name)"] = try read(tensor) }
    guard !watched.isEmpty else { return values }
    let gradients = try gradients(of: outputs, for: watched.map(\.tensor))
    for ((name, tensor), gradient) in zip(watched, gradients) {
      // Nothing depends on the input where no gradient arrives.
      values["gradient.\(name)"] =
        try gradient.map { try read($0) }
        ?? FixtureValue(tensor.shape.dimensions, [Double](repeating: 0, count: tensor.shape.count))
    }
    return values
  }

  /// Gradients of `watched` for the fixture's cotangents.
  func gradients(of outputs: [String: Tensor], for watched: [Tensor]) throws -> [Tensor?] {
    var seeds: [(output: Tensor, cotangent: Tensor)] = []
    for name in fixture.names(after: "cotangent.") {
      guard let output = outputs[name] else {
        throw FixtureError.unsupported("nothing here computes the output '\(name)', which has a cotangent")
      }
      let cotangent = try fixture.tensor("cotangent.\(name)", on: device)
      guard cotangent.type == output.type else {
        throw fixture.invalid("'cotangent.\(name)' is \(cotangent.type), but the output is \(output.type)")
      }
      seeds.append((output, cotangent))
    }
    guard !seeds.isEmpty else {
      throw fixture.invalid("it expects gradients but has no tensor 'cotangent.<output>'")
    }
    return tape.gradients(of: seeds.map(\.output), with: seeds.map(\.cotangent), for: watched)
  }

  func read(_ tensor: Tensor) throws -> FixtureValue {
    FixtureValue(tensor.shape.dimensions, try device.read(tensor.memory, as: Float.self).map(Double.init))
  }
}
