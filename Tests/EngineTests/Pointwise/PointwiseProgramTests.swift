import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct PointwiseProgramTests {
  private func operandNumbers(_ instruction: PointwiseProgram.Instruction) -> [Int] {
    switch instruction {
    case .input, .constant: []
    case .unary(_, let a): [a]
    case .binary(_, let a, let b): [a, b]
    case .select(let condition, let a, let b): [condition, a, b]
    }
  }

  // MARK: Structure

  @Test func equalSubexpressionsAreOneInstruction() {
    let program = PointwiseProgram(inputs: 2) { x in
      [(x[0] + x[1]) * (x[0] + x[1]), (x[0] + x[1]).exp() + (x[0] + x[1]).exp()]
    }
    #expect(
      program.instructions == [
        .input(0), .input(1), .binary(.add, 0, 1), .binary(.multiply, 2, 2), .unary(.exp, 2),
        .binary(.add, 4, 4),
      ])
    #expect(program.outputs == [3, 5])
  }

  @Test func whatNothingNeedsIsLeftOut() {
    let program = PointwiseProgram(inputs: 3) { x in
      _ = x[0].exp() / x[2]
      return [x[1].tanh()]
    }
    #expect(program.instructions == [.input(1), .unary(.tanh, 0)])
  }

  @Test func neutralElementsVanish() {
    let program = PointwiseProgram(inputs: 1) { x in
      [x[0] * 1, 1 * x[0], x[0] + 0, 0 + x[0], x[0] - 0, x[0] / 1, x[0] * (x[0].constant(3) * 2 + 1 - 6)]
    }
    #expect(program.instructions == [.input(0)])
    #expect(program.outputs == [Int](repeating: 0, count: 7))
  }

  @Test func aProductWithZeroKeepsNotANumber() {
    let program = PointwiseProgram(inputs: 1) { [$0[0] * 0, 0 * $0[0]] }
    #expect(program.evaluate([Double.nan]).allSatisfy { $0.isNaN })
    #expect(program.evaluate([Double.infinity]).allSatisfy { $0.isNaN })
    #expect(program.evaluate([Double(5)]) == [0, 0])
  }

  @Test func comparisonsAndChoicesFollowTheirDefinition() {
    let program = PointwiseProgram(inputs: 2) { x in
      [x[0].isLess(than: x[1]), x[0].maximum(x[1]), x[0].minimum(x[1]), x[0].select(x[1], x[0].constant(9))]
    }
    #expect(program.evaluate([1, 2] as [Double]) == [1, 2, 1, 2])
    #expect(program.evaluate([2, 1] as [Double]) == [0, 2, 1, 1])
    #expect(program.evaluate([0, 1] as [Double]) == [1, 1, 0, 9])
    #expect(program.evaluate([Double.nan, 1])[0] == 0)
    // The value that is not chosen may be anything.
    #expect(program.evaluate([0, Double.nan])[3] == 9)
  }

  @Test func randomExpressionsAndTheirGradientsAreInOrderAndWithoutRepetition() {
    for seed in 0..<100 as Range<UInt64> {
      let program = RandomExpression(seed: seed, hasKinks: true).program(outputs: 2)
      for program in [program, program.gradient(of: [0, 1, 2])] {
        #expect(Set(program.instructions).count == program.instructions.count, "seed \(seed)")
        var needed = Set(program.outputs)
        for (index, instruction) in program.instructions.enumerated().reversed() {
          #expect(operandNumbers(instruction).allSatisfy { $0 < index }, "seed \(seed)")
          #expect(needed.contains(index), "seed \(seed): instruction \(index) serves nothing")
          needed.formUnion(operandNumbers(instruction))
        }
      }
    }
  }

  // MARK: Gradients

  @Test func gradientsOfRandomExpressionsMatchDifferences() {
    var checked = 0
    for seed in 0..<300 as Range<UInt64> {
      let program = RandomExpression(seed: seed, hasKinks: true).program(outputs: 2)
      let gradient = program.gradient(of: [0, 1, 2])
      let random = CounterRandom(seed: seed, stream: "points")
      for point in 0..<3 as Range<UInt64> {
        let inputs = (0..<3).map { random.normal(10 * point + $0) }
        let cotangents = (3..<5).map { random.normal(10 * point + $0) }
        func objective(_ inputs: [Double]) -> Double {
          zip(program.evaluate(inputs), cotangents).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let slopes = gradient.evaluate(inputs + cotangents)
        for input in 0..<3 {
          func moved(_ distance: Double) -> Double {
            var inputs = inputs
            inputs[input] += distance
            return objective(inputs)
          }
          let width = 1e-5
          let difference =
            (8 * (moved(width) - moved(-width)) - (moved(2 * width) - moved(-2 * width))) / (12 * width)
          let size = abs(slopes[input]) + abs(difference) + abs(objective(inputs)) + 1
          #expect(
            abs(slopes[input] - difference) <= 1e-8 * size,
            "seed \(seed), input \(input) of \(inputs): \(slopes[input]) and \(difference)")
          checked += 1
        }
      }
    }
    #expect(checked == 2700)
  }

  @Test func gradientsOfOutputsThatDependOnNothingAreZero() {
    let program = PointwiseProgram(inputs: 2) { x in [x[0].constant(4), x[0].isLess(than: x[1])] }
    #expect(program.gradient(of: [0, 1]).evaluate([1, 2, 3, 4] as [Double]) == [0, 0])
  }

  @Test func oneValueAsTwoOutputsTakesBothCotangents() {
    let program = PointwiseProgram(inputs: 1) { x in [x[0] * x[0], x[0] * x[0], x[0]] }
    // 2 x (a + b) + c
    #expect(program.gradient(of: [0]).evaluate([3, 10, 20, 5] as [Double]) == [185])
  }

  // MARK: Devices

  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func devicesAgreeWithTheReference(seed: UInt64) throws {
    let program = RandomExpression(seed: seed, hasKinks: false).program(outputs: 2)
    let check = try OperationCheck(
      Sample("seed \(seed)", Pointwise(program), [.init([3, 11]), .init([3, 11]), .init([3, 11])]))
    for device in try TestDevices.all() {
      #expect(check.run(on: device).problems == [], "on \(device.description.name)")
    }
  }

  @Test(arguments: [5, 6, 7] as [UInt64]) func devicesAgreeOnChoices(seed: UInt64) throws {
    let program = RandomExpression(seed: seed, hasKinks: true).program(outputs: 2)
    let check = try OperationCheck(
      Sample("seed \(seed)", Pointwise(program), [.init([77]), .init([77]), .init([77])], gradients: []))
    for device in try TestDevices.all() {
      #expect(check.run(on: device).problems == [], "on \(device.description.name)")
    }
  }

  @Test func constantsKeepEveryBit() throws {
    let constants: [Double] = [
      0.1, -0.1, 1 / 3, 16_777_216, 1e10, 1e-10, -1e30, 1e38, Double(Float.greatestFiniteMagnitude),
      Double(Float.leastNormalMagnitude), .infinity, -.infinity, .pi, 1e-3, 123_456.789,
    ]
    let program = PointwiseProgram(inputs: 1) { x in
      constants.map { x[0].isLess(than: x[0].constant(5)).select(x[0].constant($0), x[0]) }
    }
    for device in try TestDevices.all() {
      let tape = Tape(on: device, isRecording: false)
      // Nine elements: a vector and a tail.
      let x = Tensor([Float](repeating: 1, count: 9), shape: [9], on: device)
      let outputs = tape.apply(Pointwise(program), [x])
      for (constant, output) in zip(constants, outputs) {
        let values = try output.floats(on: device)
        #expect(
          values == [Float](repeating: Float(constant), count: 9), "\(constant) on \(device.description.name)"
        )
      }
    }
  }

  @Test func elementsOutsideTheirTensorAreRefused() {
    let operation = Pointwise(
      PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }, operands: [.init(0), .init(1, .element(3))])
    let error = #expect(throws: ShapeError.self) { try operation.outputTypes(for: [.init([5]), .init([3])]) }
    #expect(error?.problem == "element 3 of x1, which has 3")
    #expect(throws: Never.self) { try operation.outputTypes(for: [.init([5]), .init([4])]) }
  }
}
