import CHost
public import Kernels

extension Pointwise {
  /// Elements of a block: all values of a block stay in the first-level cache.
  private static let block = 256

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let arrays = inputs.compactMap { HostArray<Float>($0.memory) }
    let results = outputs.compactMap { HostArray<Float>($0.memory) }
    guard arrays.count == inputs.count, results.count == outputs.count else { return }
    // A block never crosses a row when an operand is broadcast along rows.
    let columns = hasRow ? outputs[0].shape.last : outputs[0].shape.count
    let blocksPerRow = (columns + Self.block - 1) / Self.block
    let rows = columns == 0 ? 0 : outputs[0].shape.count / columns
    let grain = max(1, 16_384 / Self.block)
    device.threads.forRanges(rows * blocksPerRow, grain: grain) { range in
      var registers = [Float](repeating: 0, count: program.instructions.count * Self.block)
      registers.withUnsafeMutableBufferPointer { registers in
        guard let base = registers.baseAddress else { return }
        for index in range {
          let first = index % blocksPerRow * Self.block
          let place = BlockPlace(
            start: index / blocksPerRow * columns + first, column: first,
            count: min(Self.block, columns - first))
          evaluate(place, arrays, results, base)
        }
      }
    }
  }

  private struct BlockPlace {
    let start: Int
    let column: Int
    let count: Int
  }

  private func evaluate(
    _ place: BlockPlace, _ inputs: [HostArray<Float>], _ outputs: [HostArray<Float>],
    _ registers: UnsafeMutablePointer<Float>,
  ) {
    let count = place.count
    func register(_ index: Int) -> UnsafeMutablePointer<Float> { registers + index * Self.block }
    for (index, instruction) in program.instructions.enumerated() {
      let target = register(index)
      switch instruction {
      case .input(let number):
        let operand = operands[number]
        let source = inputs[operand.tensor].pointer
        switch operand.access {
        case .full: target.update(from: source + place.start, count: count)
        case .row: target.update(from: source + place.column, count: count)
        case .element(let element): target.update(repeating: source[element], count: count)
        }
      case .constant(let value): target.update(repeating: Float(value), count: count)
      case .unary(let function, let a):
        nibble_vector_unary(function.hostCode, target, register(a), count)
      case .binary(let function, let a, let b):
        nibble_vector_binary(function.hostCode, target, register(a), register(b), count)
      case .select(let condition, let a, let b):
        nibble_vector_select(target, register(condition), register(a), register(b), count)
      }
    }
    for (output, result) in zip(program.outputs, outputs) {
      (result.pointer + place.start).update(from: register(output), count: count)
    }
  }
}

extension PointwiseProgram.Unary {
  fileprivate var hostCode: nibble_unary {
    switch self {
    case .negate: NIBBLE_NEGATE
    case .exp: NIBBLE_EXP
    case .log: NIBBLE_LOG
    case .tanh: NIBBLE_TANH
    case .erf: NIBBLE_ERF
    case .sqrt: NIBBLE_SQRT
    case .abs: NIBBLE_ABS
    }
  }
}

extension PointwiseProgram.Binary {
  fileprivate var hostCode: nibble_binary {
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
