import Kernels

/// Runs operations on a device and, while recording, remembers what their gradients need.
///
/// Model code calls the methods that each operation's file adds to `Tape`:
/// `tape.rmsNorm(x, weight: tape.parameter(weight), epsilon: 1e-5)`.
/// Inputs that do not fit an operation are a programming error and trap with the operation's signature; a device's
/// failures are kept by the device and thrown when it is waited for.
public final class Tape {
  public let device: any OperationDevice
  public let isRecording: Bool
  /// Told of every operation after it was run; used to find the first non-finite result.
  public var observer: ((_ operation: String, _ scope: String, _ outputs: [Tensor]) -> Void)?

  private var records: [Record] = []
  private var variableCount = 0
  private var variables: [ObjectIdentifier: Int] = [:]
  private var parameters: [Int: Parameter] = [:]
  private var signatures: [String: ShapeSignature] = [:]
  private var scopes: [String] = []
  /// The last rounded inputs of linear layers; see `Tape+Rounding.swift`.
  var lastRounded: [LinearOperand: RoundedOperand] = [:]
  var transformSigns: [Int: Tensor] = [:]
  var maxima: RememberedMaxima?
  /// Told of every operand that is rounded.
  var roundingObserver: ((RoundedOperandView) -> Void)?
  /// Whether activations are rounded to BF16 and kept in two bytes; see `Tape+Storage.swift`.
  var storesBFloat16 = false
  var widened = WidenedTensors()
  /// Losses whose gradient was added to parameters before the backward, with the operation that did it.
  private var requiredRoots: [Int: String] = [:]

  /// What the backward walks through.
  private enum Record {
    case operation(Entry)
    case segment(RecomputedSegment)
  }

  struct Entry {
    let operation: any DifferentiableOperation
    let scope: String
    let inputTypes: [TensorType]
    let inputVariables: [Int?]
    let outputVariables: [Int?]
    let outputTypes: [TensorType]
    var inputs: [Tensor?]
    var outputs: [Tensor?]
  }

  /// - Parameter isRecording: False for evaluation and generation: nothing is kept.
  public init(on device: any OperationDevice, isRecording: Bool) {
    self.device = device
    self.isRecording = isRecording
  }

  /// Names what runs inside, for messages: `layers.3`, then `attention`.
  public func scope<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    scopes.append(name)
    defer { scopes.removeLast() }
    return try body()
  }

  /// A parameter's value, with a gradient while recording.
  public func parameter(_ parameter: Parameter) -> Tensor {
    let value = value(of: parameter)
    guard isRecording, parameter.gradient != nil else { return value }
    let key = ObjectIdentifier(parameter)
    if let known = variables[key] {
      return Tensor(type: value.type, memory: value.memory, variable: known, storage: value.storage)
    }
    let tensor = watch(value)
    variables[key] = tensor.variable
    if let variable = tensor.variable { parameters[variable] = parameter }
    return tensor
  }

  /// A tensor whose gradient ``gradients(of:with:for:)`` can be asked for.
  public func watch(_ tensor: Tensor) -> Tensor {
    guard isRecording else { return tensor }
    variableCount += 1
    return Tensor(
      type: tensor.type, memory: tensor.memory, variable: variableCount - 1, storage: tensor.storage)
  }

  /// Runs an operation.
  ///
  /// - Parameters:
  ///   - destinations: Memory for outputs that shall be written (or added to) in place, by output position.
  /// - Returns: The outputs; with gradients when recording and an input has one.
  @discardableResult
  public func apply(
    _ operation: some Operation, _ inputs: [Tensor], into destinations: [Int: Tensor] = [:],
  ) -> [Tensor] {
    let types = outputTypes(of: operation, inputs.map(\.type))
    let outputs = types.enumerated().map { index, type in
      destinations[index] ?? Tensor(type: type, memory: device.allocate(type.shape.count, of: type.element))
    }
    for (index, output) in outputs.enumerated() {
      precondition(output.shape.count == types[index].shape.count, "destination of another size")
    }
    if !device.failure.isSet {
      do {
        try execute(operation, inputs, outputs)
      } catch {
        device.failure.set(error)
      }
    }
    let stored = storesBFloat16 ? storeActivations(of: operation, outputs) : outputs
    observer?(type(of: operation).name, scopes.joined(separator: "."), stored)
    return record(operation, inputs, stored)
  }

  /// Executes an operation, under its name and with its work while the device is watched.
  private func execute(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let recorder = device.recorder else { return try device.execute(operation, inputs, outputs) }
    let cost = operation.cost(inputs.map(\.type), outputs.map(\.type))
    try recorder.record(
      type(of: operation).name, scope: scopes.joined(separator: "."), flops: cost.flops, bytes: cost.bytes
    ) {
      try device.execute(operation, inputs, outputs)
    }
  }

  private func outputTypes(of operation: some Operation, _ inputs: [TensorType]) -> [TensorType] {
    let text = operation.signature
    let signature = signatures[text] ?? ShapeSignature(text)
    signatures[text] = signature
    do {
      let types = try signature.outputs(of: type(of: operation).name, for: inputs)
      try operation.validate(inputs)
      return types
    } catch {
      preconditionFailure("\(error)")
    }
  }

  private func record(_ operation: some Operation, _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor] {
    guard isRecording, inputs.contains(where: { $0.variable != nil }) else { return outputs }
    guard let operation = operation as? any DifferentiableOperation else {
      preconditionFailure("\(type(of: operation).name) has no gradient, but an input needs one")
    }
    let results = outputs.map { $0.type.element == .float32 ? watch($0) : $0 }
    let saved = operation.saved
    records.append(
      .operation(
        Entry(
          operation: operation, scope: scopes.joined(separator: "."), inputTypes: inputs.map(\.type),
          inputVariables: inputs.map(\.variable), outputVariables: results.map(\.variable),
          outputTypes: results.map(\.type),
          inputs: inputs.enumerated().map { saved.inputs.contains($0.offset) ? $0.element.kept : nil },
          outputs: results.enumerated().map { saved.outputs.contains($0.offset) ? $0.element.kept : nil })
      ))
    return results
  }

  // MARK: Gradients added before the backward

  /// Where an operation that computes gradients with its loss adds that of `tensor`.
  ///
  /// Nil unless it is a trained parameter. The caller must write there and call ``requireRoot(_:of:)``.
  func gradientDestination(of tensor: Tensor) -> (tensor: Tensor, accumulates: Bool)? {
    guard let parameter = tensor.variable.flatMap({ parameters[$0] }), let target = parameter.gradient else {
      return nil
    }
    defer { parameter.gradientIsEmpty = false }
    return (Tensor(target, shape: tensor.shape), !parameter.gradientIsEmpty)
  }

  /// The gradient of `loss` with cotangent 1 was added already: the backward must start from it.
  func requireRoot(_ loss: Tensor, of operation: String) {
    if let variable = loss.variable { requiredRoots[variable] = operation }
  }

  private func checkRoots(_ seeds: [(Tensor, Tensor)], hasUnitCotangent: Bool) {
    for (variable, operation) in requiredRoots {
      precondition(
        hasUnitCotangent && seeds.allSatisfy { $0.0.variable == variable },
        """
        \(operation): the gradient of the weight was added together with the loss, so backward(from:) must \
        start from this loss
          hint: pass isRoot: false where the loss is a part of another one
        """)
    }
    requiredRoots = [:]
  }

  // MARK: Backward

  /// Adds the gradient of `loss` to the gradients of all parameters that took part.
  ///
  /// The tape is used up: what it saved is released on the way.
  ///
  /// - Parameter loss: A tensor of one element.
  public func backward(from loss: Tensor) {
    precondition(loss.shape.count == 1, "backward starts from one number, not from \(loss.shape)")
    let one = Tensor(device.allocate(1, of: .float32), shape: loss.shape)
    device.writeSmall([1], to: one.memory)
    checkRoots([(loss, one)], hasUnitCotangent: true)
    _ = propagate([(loss, one)])
  }

  /// Gradients of watched tensors for given cotangents of outputs; nil where none arrives.
  public func gradients(of outputs: [Tensor], with cotangents: [Tensor], for watched: [Tensor]) -> [Tensor?] {
    let seeds = Array(zip(outputs, cotangents))
    checkRoots(seeds, hasUnitCotangent: false)
    let table = propagate(seeds)
    return watched.map { tensor in
      tensor.variable.flatMap { table[$0] }.map { $0.reshaped(to: tensor.shape) }
    }
  }

  private func propagate(_ seeds: [(Tensor, Tensor)]) -> GradientTable {
    let table = GradientTable(tape: self, parameters: parameters)
    for (output, cotangent) in seeds {
      guard let variable = output.variable else { continue }
      table.add(cotangent.reshaped(to: output.shape), to: variable)
    }
    while let record = records.popLast() {
      switch record {
      case .operation(let entry): propagate(through: entry, table)
      case .segment(let segment): propagate(through: segment, table)
      }
    }
    scopes = []
    variables = [:]
    widened = WidenedTensors()
    return table
  }

  private func propagate(through entry: Entry, _ table: GradientTable) {
    let cotangents = table.take(entry.outputVariables, as: entry.outputTypes.map(\.shape))
    guard cotangents.contains(where: { $0 != nil }) else { return }
    scopes = [entry.scope, "backward"]
    widened.beginEntry()
    entry.operation.backward(
      GradientContext(tape: self, entry: entry, cotangents: cotangents, table: table))
  }

  // MARK: Recomputation

  /// Runs `body` without keeping what its gradients need; the backward runs it once more and keeps it then.
  ///
  /// Costs one more forward of `body`, saves its activations between the two (Chen et al. 2016, "Training Deep Nets with
  /// Sublinear Memory Cost"). The gradients have the same bits as without. A tape that does not record just runs `body`.
  ///
  /// - Parameters:
  ///   - inputs: Everything on this tape that `body` uses and that has a gradient, parameters excepted.
  ///   - body: A function of its tape and the inputs alone; called twice.
  public func recomputed(
    _ inputs: [Tensor], _ body: @escaping (_ tape: Tape, _ inputs: [Tensor]) -> [Tensor],
  ) -> [Tensor] {
    guard isRecording else { return body(self, inputs) }
    let forward = Tape(on: device, isRecording: false)
    forward.observer = observer
    forward.scopes = scopes
    forward.storesBFloat16 = storesBFloat16
    let outputs = body(forward, inputs.map(\.detached)).map { watch(packed($0)) }
    records.append(
      .segment(
        RecomputedSegment(
          scopes: scopes, storesBFloat16: storesBFloat16, inputs: inputs.map(\.kept),
          inputVariables: inputs.map(\.variable), outputVariables: outputs.map(\.variable),
          outputShapes: outputs.map(\.shape), body: body)))
    return outputs
  }

  private func propagate(through segment: RecomputedSegment, _ table: GradientTable) {
    let cotangents = table.take(segment.outputVariables, as: segment.outputShapes)
    guard cotangents.contains(where: { $0 != nil }) else { return }
    let inner = Tape(on: device, isRecording: true)
    inner.observer = observer
    // Here and not in the first forward: each operand is told of once.
    inner.roundingObserver = roundingObserver
    inner.scopes = segment.scopes
    inner.storesBFloat16 = segment.storesBFloat16
    let inputs = zip(segment.inputs, segment.inputVariables).map { kept, variable in
      let floats = inner.floats(kept)
      return variable == nil ? floats : inner.watch(floats)
    }
    let outputs = segment.body(inner, inputs)
    inner.storesBFloat16 = false
    let seeds = zip(outputs, cotangents).compactMap { output, cotangent in cotangent.map { (output, $0) } }
    let gradients = inner.gradients(of: seeds.map(\.0), with: seeds.map(\.1), for: inputs)
    for (gradient, variable) in zip(gradients, segment.inputVariables) {
      if let gradient, let variable { table.add(gradient, to: variable) }
    }
  }
}

/// A part of the forward that is run again when its gradients are asked for.
private struct RecomputedSegment {
  let scopes: [String]
  let storesBFloat16: Bool
  let inputs: [Tensor]
  let inputVariables: [Int?]
  let outputVariables: [Int?]
  let outputShapes: [Shape]
  let body: (Tape, [Tensor]) -> [Tensor]
}
