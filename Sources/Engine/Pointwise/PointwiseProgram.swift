/// An elementwise calculation: a straight line of instructions from inputs to outputs.
///
/// It is written once as an expression and then compiled at run time to one OpenCL kernel, interpreted in vector
/// blocks on the host, evaluated in any precision as its own reference, and differentiated symbolically.
/// Equal subexpressions are one instruction.
public struct PointwiseProgram: Hashable, Sendable {
  public enum Unary: String, Hashable, Sendable, CaseIterable {
    case negate, exp, log, log1p, tanh, erf, sqrt, abs
  }

  public enum Binary: String, Hashable, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum
    /// 1 where a < b, else 0 (also for NaN).
    case less
  }

  public enum Instruction: Hashable, Sendable {
    case input(Int)
    case constant(Double)
    case unary(Unary, Int)
    case binary(Binary, Int, Int)
    /// The second operand where the first is not zero, else the third; the other one may be NaN.
    case select(Int, Int, Int)
  }

  public let inputCount: Int
  public let instructions: [Instruction]
  /// Instruction numbers of the results.
  public let outputs: [Int]

  /// Builds a program from an expression.
  ///
  /// - Parameters:
  ///   - inputCount: Number of inputs.
  ///   - body: From the inputs' values to the results.
  public init(inputs inputCount: Int, _ body: ([PointwiseValue]) -> [PointwiseValue]) {
    let builder = PointwiseBuilder()
    let inputs = (0..<inputCount).map { builder.value(.input($0)) }
    let results = body(inputs)
    self.init(builder, inputCount: inputCount, results: results)
  }

  private init(_ builder: PointwiseBuilder, inputCount: Int, results: [PointwiseValue]) {
    let (instructions, outputs) = builder.pruned(to: results.map(\.index))
    self.inputCount = inputCount
    self.instructions = instructions
    self.outputs = outputs
  }

  /// The program of gradients: from the inputs followed by one cotangent per output, to the gradients of the inputs
  /// at `positions`.
  public func gradient(of positions: [Int]) -> PointwiseProgram {
    let builder = PointwiseBuilder()
    let inputs = (0..<inputCount + outputs.count).map { builder.value(.input($0)) }
    let values = instructions.reduce(into: [PointwiseValue]()) { values, instruction in
      values.append(builder.value(Self.renumbered(instruction) { values[$0].index }))
    }
    var adjoints = [PointwiseValue?](repeating: nil, count: instructions.count)
    for (output, cotangent) in zip(outputs, inputs[inputCount...]) {
      adjoints[output] = adjoints[output].map { $0 + cotangent } ?? cotangent
    }
    for index in instructions.indices.reversed() {
      guard let adjoint = adjoints[index] else { continue }
      for (operand, contribution) in Self.contributions(instructions[index], values, index, adjoint) {
        adjoints[operand] = adjoints[operand].map { $0 + contribution } ?? contribution
      }
    }
    let zero = builder.value(.constant(0))
    let results = positions.map { position in
      instructions.firstIndex(of: .input(position)).flatMap { adjoints[$0] } ?? zero
    }
    return PointwiseProgram(builder, inputCount: inputs.count, results: results)
  }

  static func renumbered(_ instruction: Instruction, _ number: (Int) -> Int) -> Instruction {
    switch instruction {
    case .input, .constant: instruction
    case .unary(let function, let a): .unary(function, number(a))
    case .binary(let function, let a, let b): .binary(function, number(a), number(b))
    case .select(let condition, let a, let b): .select(number(condition), number(a), number(b))
    }
  }

  /// What each operand of an instruction receives, given the instruction's own adjoint.
  private static func contributions(
    _ instruction: Instruction, _ values: [PointwiseValue], _ index: Int, _ adjoint: PointwiseValue,
  ) -> [(Int, PointwiseValue)] {
    switch instruction {
    case .input, .constant: return []
    case .unary(let function, let a): return [(a, slope(function, values[a], values[index]) * adjoint)]
    case .binary(let function, let a, let b):
      let (x, y) = (values[a], values[b])
      switch function {
      case .add: return [(a, adjoint), (b, adjoint)]
      case .subtract: return [(a, adjoint), (b, -adjoint)]
      case .multiply: return [(a, adjoint * y), (b, adjoint * x)]
      case .divide: return [(a, adjoint / y), (b, -(adjoint * values[index] / y))]
      // At equality the whole gradient goes to the first operand.
      case .maximum: return [(a, adjoint * (1 - x.isLess(than: y))), (b, adjoint * x.isLess(than: y))]
      case .minimum: return [(a, adjoint * (1 - y.isLess(than: x))), (b, adjoint * y.isLess(than: x))]
      case .less: return []
      }
    case .select(let condition, let a, let b):
      let zero = adjoint.constant(0)
      return [
        (a, values[condition].select(adjoint, zero)), (b, values[condition].select(zero, adjoint)),
      ]
    }
  }

  private static func slope(_ function: Unary, _ x: PointwiseValue, _ y: PointwiseValue) -> PointwiseValue {
    switch function {
    case .negate: x.constant(-1)
    case .exp: y
    case .log: 1 / x
    case .log1p: 1 / (1 + x)
    case .tanh: 1 - y * y
    case .erf: (-(x * x)).exp() * 1.1283791670955126  // 2 / sqrt(pi)
    case .sqrt: 0.5 / y
    case .abs: 1 - 2 * x.isLess(than: x.constant(0))
    }
  }

  /// Evaluates the program at one point.
  public func evaluate<Scalar: ReferenceScalar>(_ inputs: [Scalar]) -> [Scalar] {
    var values: [Scalar] = []
    values.reserveCapacity(instructions.count)
    for instruction in instructions {
      switch instruction {
      case .input(let index): values.append(inputs[index])
      case .constant(let constant): values.append(Scalar(constant))
      case .unary(let function, let a): values.append(Self.value(function, values[a]))
      case .binary(let function, let a, let b): values.append(Self.value(function, values[a], values[b]))
      case .select(let condition, let a, let b): values.append(values[condition] != 0 ? values[a] : values[b])
      }
    }
    return outputs.map { values[$0] }
  }

  private static func value<Scalar: ReferenceScalar>(_ function: Unary, _ x: Scalar) -> Scalar {
    switch function {
    case .negate: -x
    case .exp: Scalar.exp(x)
    case .log: Scalar.log(x)
    case .log1p: Scalar.log1p(x)
    case .tanh: Scalar.tanh(x)
    case .erf: Scalar.erf(x)
    case .sqrt: x.squareRoot()
    case .abs: Swift.abs(x)
    }
  }

  private static func value<Scalar: ReferenceScalar>(_ function: Binary, _ a: Scalar, _ b: Scalar) -> Scalar {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: a < b ? b : a
    case .minimum: b < a ? b : a
    case .less: a < b ? 1 : 0
    }
  }
}
