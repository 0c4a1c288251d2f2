import Kernels
import NumberFormats

/// A matrix that is rounded to a block format and back.
public struct QuantizationProblem: Sendable, Hashable {
  public let choice: QuantizationChoice
  public let rows: Int
  public let columns: Int

  public init(_ choice: QuantizationChoice, rows: Int, columns: Int) {
    self.choice = choice
    self.rows = rows
    self.columns = columns
  }

  var parameters: [BenchmarkRow.Parameter] {
    [
      .init("format", choice.format.name), .init("tile", choice.format.tile.description),
      .init("rounding", choice.randomness == nil ? "nearest" : "stochastic"),
      .init("hadamard", "\(choice.rotation ?? 0)"), .init("rows", "\(rows)"), .init("columns", "\(columns)"),
    ]
  }

  /// Rows that can be quantized without the others.
  var band: Int {
    let height = choice.format.tile.rows ?? (choice.format.tile == .wholeMatrix ? 1 : rows)
    return min(rows, choice.isDownColumns ? max(height, choice.rotation ?? 1) : height)
  }
}

extension KernelBenchmark {
  /// Rounding to a block format and back; scales per tensor come from a given largest magnitude.
  public static func quantization(_ problem: QuantizationProblem) -> KernelBenchmark {
    let shape: Shape = [problem.rows, problem.columns]
    return KernelBenchmark("quantize", problem.parameters, tensors: [shape, shape]) { device in
      let operation = QuantizeDequantize(problem.choice)
      var inputs: [Sample.Input] = [.init(shape)]
      // The first rows: random bits go by an element's number.
      let chosen = Array(0..<problem.band * problem.columns)
      var parts: [BenchmarkCheck.Operand] = [.init([problem.band, problem.columns], chosen)]
      if problem.choice.needsLargest {
        inputs.append(.init([1], .float32, .values([4])))
        parts.append(.init([1]))
      }
      if let rotation = problem.choice.rotation {
        let signs = HadamardTransform.signs(size: rotation, seed: 1)
        inputs.append(.init([rotation], .float32, .values(signs)))
        parts.append(.init([rotation]))
      }
      let check = BenchmarkCheck([
        .init(operation: operation, inputs: parts, results: [.init(0, ofWhole: chosen)])
      ])
      _ = try operation.outputTypes(for: inputs.map(\.type))
      return try PreparedBenchmark(OperationProblem(operation, inputs, check: check), on: device)
    }
  }
}
