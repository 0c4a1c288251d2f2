/// A value inside a ``PointwiseProgram`` that is being written; arithmetic on it appends instructions.
public struct PointwiseValue {
  let builder: PointwiseBuilder
  let index: Int

  public func constant(_ value: Double) -> PointwiseValue { builder.value(.constant(value)) }

  public func exp() -> PointwiseValue { builder.value(.unary(.exp, index)) }
  public func log() -> PointwiseValue { builder.value(.unary(.log, index)) }
  /// log(1 + x) without loss of digits near 0.
  public func log1p() -> PointwiseValue { builder.value(.unary(.log1p, index)) }
  public func tanh() -> PointwiseValue { builder.value(.unary(.tanh, index)) }
  public func erf() -> PointwiseValue { builder.value(.unary(.erf, index)) }
  public func sqrt() -> PointwiseValue { builder.value(.unary(.sqrt, index)) }
  public func abs() -> PointwiseValue { builder.value(.unary(.abs, index)) }

  /// The larger of two values.
  public func maximum(_ other: PointwiseValue) -> PointwiseValue {
    builder.value(.binary(.maximum, index, other.index))
  }
  public func minimum(_ other: PointwiseValue) -> PointwiseValue {
    builder.value(.binary(.minimum, index, other.index))
  }
  /// 1 where this is less than `other`, else 0.
  public func isLess(than other: PointwiseValue) -> PointwiseValue {
    builder.value(.binary(.less, index, other.index))
  }
  /// `whenTrue` where this is not zero, else `whenFalse`.
  public func select(_ whenTrue: PointwiseValue, _ whenFalse: PointwiseValue) -> PointwiseValue {
    builder.value(.select(index, whenTrue.index, whenFalse.index))
  }

  public static func + (a: PointwiseValue, b: PointwiseValue) -> PointwiseValue {
    a.builder.value(.binary(.add, a.index, b.index))
  }
  public static func - (a: PointwiseValue, b: PointwiseValue) -> PointwiseValue {
    a.builder.value(.binary(.subtract, a.index, b.index))
  }
  public static func * (a: PointwiseValue, b: PointwiseValue) -> PointwiseValue {
    a.builder.value(.binary(.multiply, a.index, b.index))
  }
  public static func / (a: PointwiseValue, b: PointwiseValue) -> PointwiseValue {
    a.builder.value(.binary(.divide, a.index, b.index))
  }
  public static prefix func - (a: PointwiseValue) -> PointwiseValue {
    a.builder.value(.unary(.negate, a.index))
  }
  public static func + (a: PointwiseValue, b: Double) -> PointwiseValue { a + a.constant(b) }
  public static func - (a: PointwiseValue, b: Double) -> PointwiseValue { a - a.constant(b) }
  public static func * (a: PointwiseValue, b: Double) -> PointwiseValue { a * a.constant(b) }
  public static func / (a: PointwiseValue, b: Double) -> PointwiseValue { a / a.constant(b) }
  public static func + (a: Double, b: PointwiseValue) -> PointwiseValue { b.constant(a) + b }
  public static func - (a: Double, b: PointwiseValue) -> PointwiseValue { b.constant(a) - b }
  public static func * (a: Double, b: PointwiseValue) -> PointwiseValue { b.constant(a) * b }
  public static func / (a: Double, b: PointwiseValue) -> PointwiseValue { b.constant(a) / b }
}

/// Collects instructions; an instruction that is already there is used again.
final class PointwiseBuilder {
  private var instructions: [PointwiseProgram.Instruction] = []
  private var numbers: [PointwiseProgram.Instruction: Int] = [:]

  func value(_ instruction: PointwiseProgram.Instruction) -> PointwiseValue {
    if let simpler = simplified(instruction) { return simpler }
    if let known = numbers[instruction] { return PointwiseValue(builder: self, index: known) }
    instructions.append(instruction)
    numbers[instruction] = instructions.count - 1
    return PointwiseValue(builder: self, index: instructions.count - 1)
  }

  /// Folds constants and drops `x * 1`, `x + 0`: symbolic gradients are full of them.
  ///
  /// `x * 0` stays, as x may be NaN or infinite.
  private func simplified(_ instruction: PointwiseProgram.Instruction) -> PointwiseValue? {
    guard case .binary(let function, let a, let b) = instruction else { return nil }
    let (left, right) = (constant(a), constant(b))
    switch function {
    case .add where left == 0, .multiply where left == 1: return PointwiseValue(builder: self, index: b)
    case .add where right == 0, .subtract where right == 0, .multiply where right == 1,
      .divide where right == 1:
      return PointwiseValue(builder: self, index: a)
    case .multiply where left != nil && right != nil: return value(.constant((left ?? 0) * (right ?? 0)))
    case .add where left != nil && right != nil: return value(.constant((left ?? 0) + (right ?? 0)))
    case .subtract where left != nil && right != nil: return value(.constant((left ?? 0) - (right ?? 0)))
    default: return nil
    }
  }

  private func constant(_ index: Int) -> Double? {
    guard case .constant(let value) = instructions[index] else { return nil }
    return value
  }

  /// The instructions that `results` need, renumbered.
  func pruned(to results: [Int]) -> ([PointwiseProgram.Instruction], [Int]) {
    var needed = [Bool](repeating: false, count: instructions.count)
    for result in results { needed[result] = true }
    for index in instructions.indices.reversed() where needed[index] {
      switch instructions[index] {
      case .input, .constant: break
      case .unary(_, let a): needed[a] = true
      case .binary(_, let a, let b):
        needed[a] = true
        needed[b] = true
      case .select(let condition, let a, let b):
        for operand in [condition, a, b] { needed[operand] = true }
      }
    }
    var numbers = [Int](repeating: 0, count: instructions.count)
    var kept: [PointwiseProgram.Instruction] = []
    for index in instructions.indices where needed[index] {
      numbers[index] = kept.count
      kept.append(PointwiseProgram.renumbered(instructions[index]) { numbers[$0] })
    }
    return (kept, results.map { numbers[$0] })
  }
}
