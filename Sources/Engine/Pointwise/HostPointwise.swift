import CHost
import Kernels

/// A ``PointwiseProgram`` prepared for the host: registers assigned, operands that need no copy read in place.
///
/// A block of elements goes through one instruction after the other, so all registers of a block must fit the
/// first-level cache together: those of values that are no longer needed are used again.
struct HostPointwise: @unchecked Sendable {
  /// Elements of a block.
  static let block = 256

  // Threads work on disjoint blocks of the memory that registers point to.

  /// What a register stands for.
  private enum Register {
    /// Elements of an operand's memory that move along with the block.
    case full(UnsafeMutablePointer<Float>)
    /// Values per column.
    case row(UnsafeMutablePointer<Float>)
    /// One value, repeated.
    case uniform(Float)
    /// Working memory.
    case temporary
  }

  private var registers: [Register] = []
  private var code: [nibble_instruction] = []

  /// - Parameters:
  ///   - inputs: The memory of each tensor of the operation, by number.
  ///   - outputs: The memory of each result; may be that of a full input.
  init(
    _ program: PointwiseProgram, operands: [Pointwise.Operand], inputs: [HostArray<Float>],
    outputs: [HostArray<Float>],
  ) {
    let uses = Uses(program)
    var places = [Int](repeating: 0, count: program.instructions.count)
    var free: [Int] = []
    let direct = Self.directOutputs(program, uses, operands: operands, inputs: inputs, outputs: outputs)
    for (index, instruction) in program.instructions.enumerated() {
      switch instruction {
      case .input(let position):
        let operand = operands[position]
        let memory = inputs[operand.tensor]
        switch operand.access {
        case .full: registers.append(.full(memory.pointer))
        case .row: registers.append(.row(memory.pointer))
        case .element(let element): registers.append(.uniform(memory[element]))
        }
        places[index] = registers.count - 1
      case .constant(let value):
        registers.append(.uniform(Float(value)))
        places[index] = registers.count - 1
      case .unary, .binary, .select:
        // Operands that end here give their registers to the result.
        let ended = Set(instruction.operands).filter {
          uses.last[$0] == index && program.instructions[$0].isCalculation && direct[$0] == nil
        }
        free.append(contentsOf: ended.sorted().map { places[$0] })
        if let output = direct[index] {
          registers.append(.full(outputs[output].pointer))
          places[index] = registers.count - 1
        } else if let register = free.popLast() {
          places[index] = register
        } else {
          registers.append(.temporary)
          places[index] = registers.count - 1
        }
        append(instruction, to: places[index], places)
      }
    }
    copyOutputs(program, direct, places, outputs)
  }

  /// Where an instruction's result is written at once: its output, if nobody reads that memory afterwards.
  private static func directOutputs(
    _ program: PointwiseProgram, _ uses: Uses, operands: [Pointwise.Operand], inputs: [HostArray<Float>],
    outputs: [HostArray<Float>],
  ) -> [Int: Int] {
    var direct: [Int: Int] = [:]
    for (number, index) in program.outputs.enumerated()
    where direct[index] == nil && program.instructions[index].isCalculation {
      let isReadLater = operands.enumerated().contains { position, operand in
        inputs[operand.tensor].pointer == outputs[number].pointer
          && (uses.lastOfInput[position] ?? -1) > index
      }
      if !isReadLater { direct[index] = number }
    }
    return direct
  }

  /// Results that are not written at once.
  ///
  /// Inputs among them are saved before the first is overwritten.
  private mutating func copyOutputs(
    _ program: PointwiseProgram, _ direct: [Int: Int], _ places: [Int], _ outputs: [HostArray<Float>],
  ) {
    let copied = program.outputs.enumerated().filter { direct[$0.element] != $0.offset }
    var sources: [Int] = []
    var saves: [nibble_instruction] = []
    for (_, index) in copied {
      guard !program.instructions[index].isCalculation, case .full = registers[places[index]] else {
        sources.append(places[index])
        continue
      }
      registers.append(.temporary)
      saves.append(copy(places[index], to: registers.count - 1))
      sources.append(registers.count - 1)
    }
    code.insert(contentsOf: saves, at: 0)
    for ((number, _), source) in zip(copied, sources) {
      registers.append(.full(outputs[number].pointer))
      code.append(copy(source, to: registers.count - 1))
    }
  }

  private func copy(_ source: Int, to target: Int) -> nibble_instruction {
    nibble_instruction(function: NIBBLE_COPY, target: Int32(target), a: Int32(source), b: 0, c: 0)
  }

  private mutating func append(_ instruction: PointwiseProgram.Instruction, to target: Int, _ places: [Int]) {
    let operands = instruction.operands.map { Int32(places[$0]) } + [0, 0]
    code.append(
      nibble_instruction(
        function: instruction.hostFunction, target: Int32(target), a: operands[0], b: operands[1],
        c: operands.count > 2 ? operands[2] : 0))
  }

  /// Runs the program over the blocks `range` of rows that are cut into `blocksPerRow`.
  func run(_ range: Range<Int>, columns: Int, blocksPerRow: Int) {
    let temporaries = registers.count {
      if case .full = $0 { false } else if case .row = $0 { false } else { true }
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, temporaries * Self.block)) { memory in
      withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: registers.count) {
        pointers in
        guard let base = memory.baseAddress, let registerBase = pointers.baseAddress else { return }
        place(pointers, in: base)
        code.withUnsafeBufferPointer { code in
          guard let instructions = code.baseAddress else { return }
          for index in range {
            let column = index % blocksPerRow * Self.block
            let start = index / blocksPerRow * columns + column
            for (number, register) in registers.enumerated() {
              switch register {
              case .full(let memory): pointers[number] = memory + start
              case .row(let memory): pointers[number] = memory + column
              case .uniform, .temporary: break
              }
            }
            nibble_pointwise_run(instructions, code.count, registerBase, min(Self.block, columns - column))
          }
        }
      }
    }
  }

  /// Gives every register without memory of its own a block of `base`, filled where the value is uniform.
  private func place(
    _ pointers: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>, in base: UnsafeMutablePointer<Float>,
  ) {
    var next = base
    for (number, register) in registers.enumerated() {
      switch register {
      case .full(let memory), .row(let memory): pointers.initializeElement(at: number, to: memory)
      case .uniform(let value):
        next.update(repeating: value, count: Self.block)
        fallthrough
      case .temporary:
        pointers.initializeElement(at: number, to: next)
        next += Self.block
      }
    }
  }

  /// The last instruction that reads each value.
  private struct Uses {
    /// By instruction; results are read after the last one.
    var last: [Int: Int] = [:]
    /// By number of the program's input.
    var lastOfInput: [Int: Int] = [:]

    init(_ program: PointwiseProgram) {
      for (index, instruction) in program.instructions.enumerated() {
        for operand in instruction.operands { last[operand] = index }
      }
      for output in program.outputs { last[output] = program.instructions.count }
      for (index, instruction) in program.instructions.enumerated() {
        guard case .input(let position) = instruction else { continue }
        lastOfInput[position] = max(lastOfInput[position] ?? -1, last[index] ?? -1)
      }
    }
  }
}
