import Kernels

/// Gradients by variable while a tape is walked backward.
final class GradientTable {
  private var gradients: [Int: Tensor] = [:]
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
      variable.flatMap { gradients.removeValue(forKey: $0) }.map { $0.reshaped(to: shape) }
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
    if let known = gradients[variable] {
      // The known gradient may be shared with another variable: the sum gets memory of its own.
      gradients[variable] = tape.add(known.reshaped(to: gradient.shape), gradient)
    } else {
      gradients[variable] = gradient
    }
  }

  /// Adds the first output of an accumulating operation, in place where a parameter's gradient is the target.
  ///
  /// - Returns: The other outputs.
  @discardableResult
  func add(_ operation: some AccumulatingOperation, _ inputs: [Tensor], to variable: Int) -> [Tensor] {
    var operation = operation
    guard let parameter = parameters[variable], let target = parameter.gradient else {
      operation.accumulates = false
      let outputs = tape.plain { $0.apply(operation, inputs) }
      add(outputs[0], to: variable)
      return Array(outputs.dropFirst())
    }
    operation.accumulates = !parameter.gradientIsEmpty
    parameter.gradientIsEmpty = false
    let destination = Tensor(target, shape: parameter.shape)
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
    return tensor
  }

  /// A saved output.
  public func output(_ index: Int) -> Tensor {
    guard let tensor = entry.outputs[index] else { preconditionFailure("output \(index) was not saved") }
    return tensor
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
