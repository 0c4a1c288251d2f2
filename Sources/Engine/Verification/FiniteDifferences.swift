import Kernels

/// Compares gradients with central differences of the fp64 reference.
enum FiniteDifferences {
  /// Above this many elements a gradient is checked along random directions instead of element by element.
  private static let elementLimit = 160
  private static let directions = 12
  /// The difference quotient's own error: h^2 f''' / 6 with h = 1e-4, and 1e-16 / h of rounding.
  private static let tolerance = 2e-6
  private static let width = 1e-4

  /// What disagrees, nil when all is well.
  static func problem(of sample: Sample, gradients: [Int: [Double]]) throws -> String? {
    guard !gradients.isEmpty else { return nil }
    let inputs = sample.inputs.indices.map { index in
      ReferenceTensor(sample.inputs[index].type.shape, sample.values(of: index).map(Double.init))
    }
    let objective = try Objective(sample)
    for (index, gradient) in gradients.sorted(by: { $0.key < $1.key }) {
      for direction in Self.directions(count: gradient.count, stream: "\(sample.label) direction \(index)") {
        let expected = objective.slope(inputs, index, direction, width: width)
        let got = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
        // Relative to what the terms of the sum could add up to.
        let size = zip(gradient, direction).reduce(0) { $0 + abs($1.0 * $1.1) } + abs(expected)
        let rms = (gradient.reduce(0) { $0 + $1 * $1 } / Double(max(1, gradient.count))).squareRoot()
        guard abs(got - expected) <= tolerance * (size + rms + objective.noise) else {
          return "gradient of input \(index): formula \(got), finite difference \(expected)"
        }
      }
    }
    return nil
  }

  private static func directions(count: Int, stream: String) -> [[Double]] {
    if count <= elementLimit {
      return (0..<count).map { element in (0..<count).map { $0 == element ? 1 : 0 } }
    }
    let random = CounterRandom(seed: 13, stream: stream)
    return (0..<directions).map { direction in
      (0..<count).map { random.normal(UInt64(direction * count + $0)) }
    }
  }

  /// The sum of outputs times cotangents, as a function of the inputs.
  private struct Objective {
    private let evaluate: ([ReferenceTensor<Double>]) -> Double
    /// Rounding of the objective itself.
    let noise: Double

    init(_ sample: Sample) throws {
      let types = try sample.operation.outputTypes(for: sample.inputs.map(\.type))
      let cotangents = types.enumerated().map { sample.cotangent($0.offset, count: $0.element.shape.count) }
      let operation = sample.operation
      let start = sample.initialOutput.map {
        Sample.values($0, count: types[0].shape.count, seed: "\(sample.label) initial").map(Double.init)
      }
      evaluate = { inputs in
        var outputs = types.map { ReferenceTensor<Double>($0.shape) }
        if let start { outputs[0].values = start }
        operation.reference(inputs, &outputs)
        var sum = 0.0
        for (index, output) in outputs.enumerated()
        where types[index].element == .float32 && sample.isDifferentiable(output: index) {
          for (value, cotangent) in zip(output.values, cotangents[index]) { sum += value * Double(cotangent) }
        }
        return sum
      }
      noise = 1e-3
    }

    func slope(_ inputs: [ReferenceTensor<Double>], _ index: Int, _ direction: [Double], width: Double)
      -> Double
    {
      // Fourth-order central difference.
      func value(_ steps: Double) -> Double {
        var moved = inputs
        for element in direction.indices { moved[index][element] += steps * width * direction[element] }
        return evaluate(moved)
      }
      return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * width)
    }
  }
}
