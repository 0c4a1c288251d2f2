import Kernels

/// An elementwise operation: a ``PointwiseProgram`` over tensors of one shape, with broadcast operands.
///
/// All outputs have the shape of the first full operand. An output may share memory with a full input of the same
/// shape: every element is read before it is written.
public struct Pointwise: DifferentiableOperation, Hashable {
  /// How a program input is read from its tensor.
  public enum Access: Hashable, Sendable {
    /// Element by element.
    case full
    /// The tensor has one value per column (bias, gain): [dim] against [..., dim].
    case row
    /// One element of a small tensor, the same for all (learning rate, clip factor).
    case element(Int)
  }

  /// One program input: which tensor, and how.
  public struct Operand: Hashable, Sendable {
    public let tensor: Int
    public let access: Access

    public init(_ tensor: Int, _ access: Access = .full) {
      self.tensor = tensor
      self.access = access
    }
  }

  public static let name = "pointwise"
  public let program: PointwiseProgram
  public let operands: [Operand]
  private let tensorCount: Int

  /// - Parameter operands: One per program input; at least one has full access. All operands by default are full,
  ///   in the order of the inputs.
  public init(_ program: PointwiseProgram, operands: [Operand]? = nil) {
    self.program = program
    self.operands = operands ?? (0..<program.inputCount).map { Operand($0) }
    precondition(self.operands.count == program.inputCount, "one operand per program input")
    precondition(self.operands.contains { $0.access == .full }, "no operand with full access")
    tensorCount = (self.operands.map(\.tensor).max() ?? -1) + 1
  }

  public var signature: String {
    let inputs = (0..<tensorCount).map { tensor -> String in
      let access = operands.first { $0.tensor == tensor }?.access ?? .full
      switch access {
      case .full: return hasRow ? "x\(tensor) [..., dim]" : "x\(tensor) [...]"
      case .row: return "x\(tensor) [dim]"
      case .element: return "x\(tensor) [n\(tensor)]"
      }
    }
    let shape = hasRow ? "[..., dim]" : "[...]"
    let outputs = program.outputs.indices.map { "y\($0) \(shape)" }
    return inputs.joined(separator: ", ") + " > " + outputs.joined(separator: ", ")
  }

  var hasRow: Bool { operands.contains { $0.access == .row } }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    for operand in operands {
      guard case .element(let index) = operand.access, index >= inputs[operand.tensor].shape.count else {
        continue
      }
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "element \(index) of x\(operand.tensor), which has \(inputs[operand.tensor].shape.count)")
    }
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let arithmetic = program.instructions.count {
      switch $0 {
      case .input, .constant: false
      case .unary, .binary, .select: true
      }
    }
    return Cost(flops: Double(arithmetic) * Double(outputs.first?.shape.count ?? 0), moving: inputs + outputs)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = outputs[0].shape.last
    for index in 0..<outputs[0].shape.count {
      let values = operands.map { operand -> Scalar in
        switch operand.access {
        case .full: inputs[operand.tensor][index]
        case .row: inputs[operand.tensor][index % columns]
        case .element(let element): inputs[operand.tensor][element]
        }
      }
      for (output, value) in program.evaluate(values).enumerated() { outputs[output][index] = value }
    }
  }

  // MARK: Gradient

  public var activations: Set<Int> { Set(program.outputs.indices) }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<tensorCount)) }

  public func backward(_ context: GradientContext) {
    let wanted = operands.indices.filter { context.needs(operands[$0].tensor) }
    guard !wanted.isEmpty else { return }
    let gradient = program.gradient(of: wanted)
    let cotangents = program.outputs.indices.map { Operand(tensorCount + $0) }
    let operation = Pointwise(gradient, operands: operands + cotangents)
    let inputs =
      (0..<tensorCount).map { context.input($0) }
      + program.outputs.indices.map { context.cotangentOrZero($0) }
    let results = context.tape.apply(operation, inputs)
    for (position, result) in zip(wanted, results) { handOver(result, of: operands[position], context) }
  }

  private func handOver(_ gradient: Tensor, of operand: Operand, _ context: GradientContext) {
    switch operand.access {
    case .full: context.add(gradient, to: operand.tensor)
    case .row:
      context.add(
        SumRows(), [gradient.reshaped(to: [gradient.shape.rows, gradient.shape.last])], to: operand.tensor)
    case .element: preconditionFailure("pointwise: no gradient for operands that are single elements")
    }
  }
}

extension Tape {
  /// `a + b`, same shapes.
  public func add(_ a: Tensor, _ b: Tensor) -> Tensor { apply(Pointwise.addition, [a, b])[0] }

  /// Adds `b` to the memory of `a`, without a gradient.
  func addInPlace(_ b: Tensor, to a: Tensor) { apply(Pointwise.addition, [a, b], into: [0: a]) }

  /// `x * factor`.
  public func scale(_ x: Tensor, by factor: Double) -> Tensor {
    apply(Pointwise(PointwiseProgram(inputs: 1) { [$0[0] * factor] }), [x])[0]
  }

  /// `x + bias` per column: [..., dim] + [dim].
  public func add(_ x: Tensor, bias: Tensor) -> Tensor {
    let program = PointwiseProgram(inputs: 2) { [$0[0] + $0[1]] }
    return apply(Pointwise(program, operands: [.init(0), .init(1, .row)]), [x, bias])[0]
  }

  /// `activation(x)`.
  public func activation(_ activation: Activation, _ x: Tensor) -> Tensor {
    apply(Pointwise(PointwiseProgram(inputs: 1) { [activation($0[0])] }), [x])[0]
  }

  /// `activation(gate) * up`: SwiGLU with ``Activation/silu`` (Shazeer, "GLU Variants Improve Transformer", 2020).
  public func gated(_ activation: Activation, gate: Tensor, up: Tensor) -> Tensor {
    apply(Pointwise.gated(activation), [gate, up])[0]
  }
}

extension Pointwise {
  static let addition = Pointwise(PointwiseProgram(inputs: 2) { [$0[0] + $0[1]] })

  /// `activation(x0) * x1`.
  public static func gated(_ activation: Activation) -> Pointwise {
    Pointwise(PointwiseProgram(inputs: 2) { [activation($0[0]) * $0[1]] })
  }
}
