import CHost
public import Kernels

extension Pointwise {
  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let arrays = inputs.compactMap { HostArray<Float>($0.memory) }
    let results = outputs.compactMap { HostArray<Float>($0.memory) }
    guard arrays.count == inputs.count, results.count == outputs.count else { return }
    // A block never crosses a row when an operand is broadcast along rows.
    let columns = hasRow ? outputs[0].shape.last : outputs[0].shape.count
    let blocksPerRow = (columns + HostPointwise.block - 1) / HostPointwise.block
    let rows = columns == 0 ? 0 : outputs[0].shape.count / columns
    guard rows > 0 else { return }
    let program = HostPointwise(program, operands: operands, inputs: arrays, outputs: results)
    device.threads.forRanges(rows * blocksPerRow, grain: max(1, 16_384 / min(columns, HostPointwise.block))) {
      program.run($0, columns: columns, blocksPerRow: blocksPerRow)
    }
  }
}

extension PointwiseProgram.Instruction {
  /// Numbers of the instructions whose values it reads.
  var operands: [Int] {
    switch self {
    case .input, .constant: []
    case .unary(_, let a): [a]
    case .binary(_, let a, let b): [a, b]
    case .select(let condition, let a, let b): [condition, a, b]
    }
  }

  /// Whether it computes something, as against naming an operand.
  var isCalculation: Bool {
    switch self {
    case .input, .constant: false
    case .unary, .binary, .select: true
    }
  }

  /// The host's function; a copy for operands.
  var hostFunction: nibble_function {
    switch self {
    case .input, .constant: NIBBLE_COPY
    case .unary(let function, _): function.hostFunction
    case .binary(let function, _, _): function.hostFunction
    case .select: NIBBLE_SELECT
    }
  }
}

extension PointwiseProgram.Unary {
  fileprivate var hostFunction: nibble_function {
    switch self {
    case .negate: NIBBLE_NEGATE
    case .exp: NIBBLE_EXP
    case .log: NIBBLE_LOG
    case .log1p: NIBBLE_LOG1P
    case .tanh: NIBBLE_TANH
    case .erf: NIBBLE_ERF
    case .sqrt: NIBBLE_SQRT
    case .abs: NIBBLE_ABS
    }
  }
}

extension PointwiseProgram.Binary {
  fileprivate var hostFunction: nibble_function {
    switch self {
    case .add: NIBBLE_ADD
    case .subtract: NIBBLE_SUBTRACT
    case .multiply: NIBBLE_MULTIPLY
    case .divide: NIBBLE_DIVIDE
    case .maximum: NIBBLE_MAXIMUM
    case .minimum: NIBBLE_MINIMUM
    case .less: NIBBLE_LESS
    }
  }
}
