import Kernels

/// An operation's inputs and outputs by name and shape, parsed from a line such as
/// `x [..., dim], weight [dim] > y [..., dim]`.
///
/// A dimension is a number, a name (the same name has the same length everywhere) or `...` (any axes, the same
/// everywhere). `ids: int32 [tokens]` gives an element type other than float32. The one line yields shape
/// inference, the error message and the documentation.
public struct ShapeSignature: Sendable, CustomStringConvertible {
  enum Dimension: Sendable, Equatable {
    case fixed(Int)
    case named(String)
    case rest
  }

  struct Operand: Sendable {
    let name: String
    let element: ElementType
    let dimensions: [Dimension]
  }

  let inputs: [Operand]
  let outputs: [Operand]
  public let description: String

  public init(_ text: String) {
    let sides = text.split(separator: ">", omittingEmptySubsequences: false)
    precondition(sides.count == 2, "signature without '>': \(text)")
    inputs = ShapeSignature.operands(sides[0])
    outputs = ShapeSignature.operands(sides[1])
    description = text
    let known = inputs.flatMap(\.dimensions)
    for output in outputs {
      for dimension in output.dimensions {
        if case .fixed = dimension { continue }
        precondition(known.contains(dimension), "no input tells a length of '\(output.name)': \(text)")
      }
    }
  }

  private static func operands(_ text: Substring) -> [Operand] {
    text.split(separator: "]").compactMap { part in
      let pieces = part.split(separator: "[", omittingEmptySubsequences: false)
      guard pieces.count == 2 else {
        precondition(trimmed(part).isEmpty, "signature with '\(part)', which is no operand")
        return nil
      }
      let head = pieces[0].split(separator: ":").map { trimmed($0) }
      let element = head.count == 2 ? ElementType(rawValue: head[1]) : .float32
      guard let element else { preconditionFailure("unknown element type in '\(part)'") }
      let dimensions = pieces[1].split(separator: ",").map { dimension(trimmed($0)) }
      return Operand(name: head[0], element: element, dimensions: dimensions)
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop { $0 == " " || $0 == "," }.reversed().drop { $0 == " " }.reversed())
  }

  private static func dimension(_ text: String) -> Dimension {
    if text == "..." { return .rest }
    return Int(text).map(Dimension.fixed) ?? .named(text)
  }

  /// Types of the outputs for given inputs.
  ///
  /// - Throws: ``ShapeError`` naming the operand, the dimension and both lengths.
  public func outputs(of operation: String, for types: [TensorType]) throws(ShapeError) -> [TensorType] {
    guard types.count == inputs.count else {
      throw ShapeError(
        operation: operation, expected: description,
        problem: "takes \(inputs.count) inputs, not \(types.count)")
    }
    var lengths: [String: (length: Int, operand: String, type: TensorType)] = [:]
    var rest: [Int]?
    for (operand, type) in zip(inputs, types) {
      guard type.element == operand.element else {
        throw ShapeError(
          operation: operation, expected: description,
          problem:
            "'\(operand.name)' has elements of \(type.element.rawValue), not \(operand.element.rawValue)")
      }
      try bind(operand, type, operation, &lengths, &rest)
    }
    return outputs.map { operand in
      let dimensions = operand.dimensions.flatMap { dimension -> [Int] in
        switch dimension {
        case .fixed(let length): [length]
        case .named(let name): [lengths[name]?.length ?? 0]
        case .rest: rest ?? []
        }
      }
      return TensorType(Shape(dimensions), operand.element)
    }
  }

  private func bind(
    _ operand: Operand, _ type: TensorType, _ operation: String,
    _ lengths: inout [String: (length: Int, operand: String, type: TensorType)], _ rest: inout [Int]?,
  ) throws(ShapeError) {
    let actual = type.shape.dimensions
    let fixed = operand.dimensions.count { $0 != .rest }
    let hasRest = fixed < operand.dimensions.count
    guard hasRest ? actual.count >= fixed : actual.count == fixed else {
      throw ShapeError(
        operation: operation, expected: description,
        problem: "'\(operand.name)' has \(actual.count) axes: \(type)")
    }
    var axis = 0
    for dimension in operand.dimensions {
      switch dimension {
      case .rest:
        let taken = Array(actual[axis..<axis + actual.count - fixed])
        if let known = rest, known != taken {
          throw ShapeError(
            operation: operation, expected: description,
            problem: "'...' is \(Shape(taken)) in \(operand.name) \(type) but \(Shape(known)) before")
        }
        rest = taken
        axis += taken.count
        continue
      case .fixed(let length):
        guard actual[axis] == length else {
          throw ShapeError(
            operation: operation, expected: description,
            problem: "axis \(axis) of \(operand.name) \(type) must be \(length)")
        }
      case .named(let name):
        if let known = lengths[name], known.length != actual[axis] {
          throw ShapeError(
            operation: operation, expected: description,
            problem: "'\(name)' is \(actual[axis]) in \(operand.name) \(type)"
              + " but \(known.length) in \(known.operand) \(known.type)")
        }
        lengths[name] = (actual[axis], operand.name, type)
      }
      axis += 1
    }
  }
}

/// Tensors that do not fit an operation.
public struct ShapeError: Error, CustomStringConvertible {
  public let operation: String
  public let expected: String
  public let problem: String

  public init(operation: String, expected: String, problem: String) {
    self.operation = operation
    self.expected = expected
    self.problem = problem
  }

  public var description: String { "\(operation): \(problem)\n  expected: \(expected)" }
}
