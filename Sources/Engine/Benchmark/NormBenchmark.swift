import Kernels

/// A normalization to be timed.
public struct NormProblem: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case rms = "rms_norm"
    case layer = "layer_norm"
  }

  public var kind: Kind
  public var isBackward: Bool
  public var rows: Int
  public var dim: Int
  /// The residual stream is added in the same pass.
  public var hasResidual: Bool

  public init(_ kind: Kind, isBackward: Bool, rows: Int, dim: Int, hasResidual: Bool) {
    self.kind = kind
    self.isBackward = isBackward
    self.rows = rows
    self.dim = dim
    self.hasResidual = hasResidual
  }

  private var form: NormForward {
    NormForward(
      isCentered: kind == .layer, epsilon: 1e-5, weightOffset: 0, hasWeight: true, hasBias: kind == .layer,
      hasResidual: hasResidual)
  }

  private var forwardOperation: any Operation {
    kind == .rms
      ? RMSNorm(epsilon: 1e-5, hasResidual: hasResidual) : LayerNorm(epsilon: 1e-5, hasResidual: hasResidual)
  }

  var forward: OperationProblem {
    let (operands, chosen) = (form.operands, BenchmarkChoice("rows").numbers(12, of: 0..<rows))
    let part = part(forwardOperation, operands, rows: chosen)
    return OperationProblem(
      forwardOperation, operands.inputs.map { input($0) }, check: BenchmarkCheck([part]))
  }

  private func gradient(rows: Int) -> NormBackward {
    NormBackward(
      isCentered: kind == .layer, weightOffset: 0, hasWeight: true, hasSumCotangent: hasResidual,
      hasStatisticsCotangents: false, hasWeightGradient: true, hasBiasGradient: kind == .layer, rows: rows)
  }

  private func operation(_ gradient: NormBackward) -> any Operation {
    kind == .rms ? RMSNormGradient(backward: gradient) : LayerNormGradient(backward: gradient)
  }

  var backward: OperationProblem {
    let whole = gradient(rows: rows)
    // Sums over rows are made per block: whole blocks are compared.
    let parts = BenchmarkChoice("blocks").numbers(3, of: 0..<whole.blocks).map { block in
      let first = block * NormBackward.blockRows
      let chosen = Array(first..<min(rows, first + NormBackward.blockRows))
      let small = gradient(rows: chosen.count)
      return part(operation(small), small.operands, rows: chosen, block: block)
    }
    return OperationProblem(
      operation(whole), whole.operands.inputs.map { input($0) }, check: BenchmarkCheck(parts))
  }

  /// Positions of the sums per block among the outputs of ``backward``.
  var sums: [Int] { [.dweight, .dbias].compactMap { gradient(rows: rows).operands.output($0) } }

  /// What the gradient needs to move: the sums per block are our own doing.
  func neededBytes(_ types: (inputs: [TensorType], outputs: [TensorType])) -> Double {
    let whole = types.inputs.reduce(0) { $0 + Double($1.byteCount) } + Double(types.outputs[0].byteCount)
    return whole + Double(4 * dim * sums.count)
  }

  private func input(_ operand: NormOperand) -> Sample.Input {
    switch operand {
    case .rstd: .init([rows], .float32, .uniform(0.5...2))
    case .mean: .init([rows])
    case .weight, .bias: .init([dim])
    default: .init([rows, dim])
    }
  }

  private func part(
    _ operation: any Operation, _ operands: NormOperands, rows: [Int], block: Int = 0,
  ) -> BenchmarkCheck.Part {
    let elements = rows.flatMap { row in (0..<dim).map { row * dim + $0 } }
    return BenchmarkCheck.Part(
      operation: operation,
      inputs: operands.inputs.map { operand in
        switch operand {
        case .rstd, .mean: .init([rows.count], rows)
        case .weight, .bias: .init([dim])
        default: .init([rows.count, dim], elements)
        }
      },
      results: operands.outputs.enumerated().map { output, operand in
        switch operand {
        case .rstd, .mean: .init(output, ofWhole: rows)
        case .dweight, .dbias: .init(output, ofWhole: Array(block * dim..<(block + 1) * dim))
        default: .init(output, ofWhole: elements)
        }
      })
  }
}

extension KernelBenchmark {
  /// A normalization, forward, or its gradients with the sums over all rows.
  public static func norm(_ problem: NormProblem) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("rows", "\(problem.rows)"), .init("dim", "\(problem.dim)"),
      .init("residual", problem.hasResidual ? "yes" : "no"),
    ]
    let name = problem.kind.rawValue + (problem.isBackward ? "_backward" : "")
    // x and y, or x, dy and dx; the residual stream is read and written.
    let streams = (problem.isBackward ? 3 : 2) + (problem.hasResidual ? 2 : 0)
    let tensors = [Shape](repeating: [problem.rows, problem.dim], count: streams)
    return KernelBenchmark(name, parameters, tensors: tensors) { device in
      guard problem.isBackward else { return try PreparedBenchmark(problem.forward, on: device) }
      let whole = problem.backward
      let tensors = try OperationTensors(whole, on: device)
      var prepared = PreparedBenchmark(whole, tensors, on: device)
      for position in problem.sums {
        prepared = prepared.followed(by: try sum(of: tensors.outputs[position], on: device))
      }
      prepared.cost?.bytes = problem.neededBytes((tensors.inputs.map(\.type), tensors.outputs.map(\.type)))
      return prepared
    }
  }

  /// The sum over the rows of a tensor that is made before.
  private static func sum(of rows: Tensor, on device: any OperationDevice) throws -> PreparedBenchmark {
    let type = TensorType([rows.shape.last], .float32)
    let total = Tensor(device.allocate(type.shape.count, of: .float32), shape: type.shape)
    let check = BenchmarkCheck([
      .init(
        operation: SumRows(), inputs: [.init(rows.shape)],
        results: [.init(0, ofWhole: Array(0..<type.shape.count))])
    ])
    return PreparedBenchmark(
      cost: SumRows().cost([rows.type], [type]),
      run: { try device.execute(SumRows(), [rows], [total]) },
      verify: { try check.compare([total.floats(on: device)], inputs: [rows.floats(on: device)]) })
  }
}
