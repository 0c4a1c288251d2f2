import Engine
import Kernels
import Testing

@Suite struct NormalizationTests {
  private let device = HostDevice(threads: 1)
  private let shape: Shape = [5, 24]

  private func tensor(_ name: String, _ shape: Shape) -> Tensor {
    Tensor(CounterRandom(seed: 3, stream: name).normals(shape.count, deviation: 1), shape: shape, on: device)
  }

  /// Values and gradients of `body` of x, residual, weight and bias, for a cotangent per result.
  private func run(_ body: (Tape, [Tensor]) -> [Tensor]) throws -> [[Double]] {
    let tape = Tape(on: device, isRecording: true)
    let inputs = [
      tensor("x", shape), tensor("residual", shape), tensor("weight", [24]), tensor("bias", [24]),
    ]
    .map { tape.watch($0) }
    let outputs = body(tape, inputs)
    let cotangents = outputs.indices.map { tensor("cotangent \($0)", shape) }
    let values = try outputs.map { try $0.floats(on: device).map(Double.init) }
    let gradients = tape.gradients(of: outputs, with: cotangents, for: inputs)
    return try values + gradients.map { try $0?.floats(on: device).map(Double.init) ?? [] }
  }

  private func expectEqual(_ got: [[Double]], _ want: [[Double]]) {
    #expect(got.count == want.count)
    for (index, (got, want)) in zip(got, want).enumerated() {
      #expect(relativeError(got, want) < 1e-6, "result \(index)")
    }
  }

  @Test func fusedResidualEqualsAdditionThenNorm() throws {
    expectEqual(
      try run { tape, inputs in
        let result = tape.rmsNorm(
          inputs[0], adding: inputs[1], weight: inputs[2], epsilon: 1e-5, weightOffset: 1)
        return [result.normalized, result.sum]
      },
      try run { tape, inputs in
        let sum = tape.add(inputs[0], inputs[1])
        return [tape.rmsNorm(sum, weight: inputs[2], epsilon: 1e-5, weightOffset: 1), sum]
      })
    expectEqual(
      try run { tape, inputs in
        let result = tape.layerNorm(
          inputs[0], adding: inputs[1], weight: inputs[2], bias: inputs[3], epsilon: 1e-5)
        return [result.normalized, result.sum]
      },
      try run { tape, inputs in
        let sum = tape.add(inputs[0], inputs[1])
        return [tape.layerNorm(sum, weight: inputs[2], bias: inputs[3], epsilon: 1e-5), sum]
      })
  }

  @Test func sumAloneHasTheGradientOfAnAddition() throws {
    expectEqual(
      try run { tape, inputs in
        [tape.layerNorm(inputs[0], adding: inputs[1], weight: nil, bias: nil, epsilon: 1e-5).sum]
      },
      try run { tape, inputs in [tape.add(inputs[0], inputs[1])] })
  }

  @Test func parameterGradientsAddUpOverUses() throws {
    let store = ParameterStore(
      [ParameterSpecification("weight", [24], decays: false)], on: device, trains: true)
    let parameter = try #require(store["weight"])
    let x = tensor("x", shape)
    func gradient(uses: Int) throws -> [Double] {
      store.clearGradients()
      for _ in 0..<uses {
        let tape = Tape(on: device, isRecording: true)
        let y = tape.rmsNorm(tape.watch(x), weight: tape.parameter(parameter), epsilon: 1e-5)
        tape.backward(from: tape.apply(SumOfSquares(), [tape.activation(.silu, y)])[0])
      }
      return try device.read(#require(parameter.gradient), as: Float.self).map(Double.init)
    }
    device.write([Float](repeating: 0.5, count: 24), to: parameter.memory)
    let once = try gradient(uses: 1)
    #expect(once.contains { $0 != 0 })
    #expect(relativeError(try gradient(uses: 2), once.map { 2 * $0 }) < 1e-6)
  }

  @Test func rejectsRowsWithoutValues() {
    #expect(throws: ShapeError.self) {
      try RMSNorm(epsilon: 1e-5, hasWeight: false).outputTypes(for: [TensorType([3, 0])])
    }
    #expect(throws: ShapeError.self) {
      try LayerNorm(epsilon: -1, hasWeight: false, hasBias: false).outputTypes(for: [TensorType([3, 2])])
    }
  }
}
