import Kernels

/// Elementwise functions that can be timed.
public enum ElementwiseFunction: String, Sendable, Hashable, CaseIterable {
  case add
  case silu
  case gelu
  case geluTanh = "gelu_tanh"
  case swiglu
  /// Both gradients of ``swiglu``.
  case swigluGradient = "swiglu_gradient"

  var operation: Pointwise {
    switch self {
    case .add: .addition
    case .silu: Self.activation(.silu)
    case .gelu: Self.activation(.gelu)
    case .geluTanh: Self.activation(.geluTanh)
    case .swiglu: .gated(.silu)
    case .swigluGradient: Pointwise(Pointwise.gated(.silu).program.gradient(of: [0, 1]))
    }
  }

  private static func activation(_ activation: Activation) -> Pointwise {
    Pointwise(PointwiseProgram(inputs: 1) { [activation($0[0])] })
  }
}

extension KernelBenchmark {
  /// An elementwise function of `count` elements.
  public static func elementwise(_ function: ElementwiseFunction, count: Int) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("function", function.rawValue), .init("count", "\(count)"),
    ]
    let operation = function.operation
    let streams = operation.program.inputCount + operation.program.outputs.count
    let tensors = [Shape](repeating: [count], count: streams)
    return KernelBenchmark("elementwise", parameters, tensors: tensors) { device in
      let chosen = BenchmarkChoice("elements").numbers(1000, of: 0..<count)
      let inputs = operation.program.inputCount
      let check = BenchmarkCheck([
        .init(
          operation: operation,
          inputs: (0..<inputs).map { _ in .init([chosen.count], chosen) },
          results: operation.program.outputs.indices.map { .init($0, ofWhole: chosen) })
      ])
      let problem = OperationProblem(
        operation, (0..<inputs).map { _ in .init([count], .float32, .normal(deviation: 2)) }, check: check)
      return try PreparedBenchmark(problem, on: device)
    }
  }

  /// Rotary positions of whole sequences.
  public static func rope(batch: Int, time: Int, heads: Int, width: Int) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("batch", "\(batch)"), .init("time", "\(time)"), .init("heads", "\(heads)"),
      .init("width", "\(width)"),
    ]
    let (whole, table): (Shape, Shape) = ([batch, time, heads, width], [time, width / 2])
    return KernelBenchmark("rope", parameters, tensors: [whole, whole, table, table]) { device in
      let parts = BenchmarkChoice("tokens").numbers(12, of: 0..<batch * time).map { token in
        let elements = Array(token * heads * width..<(token + 1) * heads * width)
        return BenchmarkCheck.Part(
          operation: RoPE(positionOffset: token % time),
          inputs: [.init([1, 1, heads, width], elements), .init(table), .init(table)],
          results: [.init(0, ofWhole: elements)])
      }
      let problem = OperationProblem(
        RoPE(),
        [
          .init(whole), .init(table, .float32, .uniform(-1...1)),
          .init(table, .float32, .uniform(-1...1)),
        ], check: BenchmarkCheck(parts))
      return try PreparedBenchmark(problem, on: device)
    }
  }
}
