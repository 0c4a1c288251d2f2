import Kernels

/// Gradients by variable while a tape is walked backward.
final class GradientTable {
  private var gradients: [Int: Tensor] = [:]
  /// Variables whose gradient lies in memory that nothing else refers to, so that it may be added to in place.
  private var owned: Set<Int> = []
  private unowned let tape: Tape
  private let parameters: [Int: Parameter]

  init(tape: Tape, parameters: [Int: Parameter]) {
    self.tape = tape
    self.parameters = parameters
  }

  subscript(variable: Int) -> Tensor? { gradients[variable] }

  /// Removes and returns the gradients of an entry's outputs, in the outputs' shapes.
  func take(_ variables: [Int?], as shapes: [Shape]) -> [Tensor?] {
    zip(variables, shapes).map { variable, shape in
      guard let variable else { return nil }
      owned.remove(variable)
      return gradients.removeValue(forKey: variable).map { $0.reshaped(to: shape) }
    }
  }

  /// Adds a finished gradient.
  func add(_ gradient: Tensor, to variable: Int) {
    if let parameter = parameters[variable], let target = parameter.gradient {
      if parameter.gradientIsEmpty {
        tape.device.copy(gradient.memory, to: target)
        parameter.gradientIsEmpty = false
      } else {
        tape.addInPlace(gradient, to: Tensor(target, shape: gradient.shape))
      }
      return
    }
    guard let known = gradients[variable]?.reshaped(to: gradient.shape) else {
      gradients[variable] = gradient
      return
    }
    if owned.contains(variable) { return tape.addInPlace(gradient, to: known) }
    // The known gradient may be shared with another variable: the sum gets memory of its own.
    gradients[variable] = tape.add(known, gradient)
    owned.insert(variable)
  }

  /// Adds the first output of an accumulating operation, in place where a gradient is there already.
  ///
  /// - Returns: The other outputs.
  @discardableResult
  func add(_ operation: some AccumulatingOperation, _ inputs: [Tensor], to variable: Int) -> [Tensor] {
    var operation = operation
    let destination: Tensor?
    if let parameter = parameters[variable], let target = parameter.gradient {
      operation.accumulates = !parameter.gradientIsEmpty
      parameter.gradientIsEmpty = false
      destination = Tensor(target, shape: parameter.shape)
    } else {
      destination = owned.contains(variable) ? gradients[variable] : nil
      operation.accumulates = destination != nil
    }
    guard let destination else {
      let outputs = tape.plain { $0.apply(operation, inputs) }
      let isFirst = gradients[variable] == nil
      add(outputs[0], to: variable)
      if isFirst { owned.insert(variable) }
      return Array(outputs.dropFirst())
    }
    return Array(tape.plain { $0.apply(operation, inputs, into: [0: destination]) }.dropFirst())
  }
}

/// What an operation's backward sees.
public struct GradientContext {
  /// Runs operations without recording them.
  public let tape: Tape
  private let entry: Tape.Entry
  private let cotangents: [Tensor?]
  private let table: GradientTable

  init(tape: Tape, entry: Tape.Entry, cotangents: [Tensor?], table: GradientTable) {
    self.tape = tape
    self.entry = entry
    self.cotangents = cotangents
    self.table = table
  }

  /// A saved input; see ``DifferentiableOperation/saved``.
  public func input(_ index: Int) -> Tensor {
    guard let tensor = entry.inputs[index] else { preconditionFailure("input \(index) was not saved") }
    return tape.floats(tensor)
  }

  /// A saved output.
  public func output(_ index: Int) -> Tensor {
    guard let tensor = entry.outputs[index] else { preconditionFailure("output \(index) was not saved") }
    return tape.floats(tensor)
  }

  public func inputType(_ index: Int) -> TensorType { entry.inputTypes[index] }
  public func outputType(_ index: Int) -> TensorType { entry.outputTypes[index] }

  /// The gradient with respect to output `index`; nil when nothing depends on that output.
  public func cotangent(_ index: Int) -> Tensor? { cotangents[index] }

  /// The same, as zeros when nothing depends on that output.
  public func cotangentOrZero(_ index: Int) -> Tensor {
    if let known = cotangents[index] { return known }
    let type = entry.outputTypes[index]
    let memory = tape.device.allocate(type.shape.count, of: .float32)
    tape.device.zero(memory)
    return Tensor(memory, shape: type.shape)
  }

  /// Whether anybody wants the gradient of input `index`.
  public func needs(_ index: Int) -> Bool { entry.inputVariables[index] != nil }

  /// Hands over the gradient of input `index`; several contributions are summed.
  public func add(_ gradient: Tensor, to index: Int) {
    guard let variable = entry.inputVariables[index] else { return }
    table.add(gradient, to: variable)
  }

  /// Hands over the gradient of input `index` as an operation that can add in place.
  ///
  /// - Returns: The operation's outputs after the first; none when nobody wants the gradient: it did not run.
  @discardableResult
  public func add(_ operation: some AccumulatingOperation, _ inputs: [Tensor], to index: Int) -> [Tensor] {
    guard let variable = entry.inputVariables[index] else { return [] }
    return table.add(operation, inputs, to: variable)
  }
}

extension Tape {
  /// Runs `body`; inputs there carry no variables, so nothing is recorded.
  @discardableResult
  func plain<Result>(_ body: (Tape) -> Result) -> Result { body(self) }
}
