public import Kernels

/// Matrix product with an optional epilogue: `c = activation(op(a) op(b) + bias) + residual`.
///
/// Operands have two axes, or three with a common batch in front. A linear layer with weight [out, in] is
/// `transposeB: true`.
public struct MatMul: DifferentiableOperation, AccumulatingOperation {
  public static let name = "matmul"
  /// a is stored [k, m] instead of [m, k].
  public let transposeA: Bool
  /// b is stored [n, k] instead of [k, n].
  public let transposeB: Bool
  public let isBatched: Bool
  public let hasBias: Bool
  public let activation: Activation?
  public let hasResidual: Bool
  /// Adds a second output, the value before the activation, which the gradient needs.
  public let keepsPreactivation: Bool
  /// `c` is added to instead of overwritten; not together with an epilogue.
  public var accumulates = false

  public init(
    transposeA: Bool = false, transposeB: Bool = false, isBatched: Bool = false, hasBias: Bool = false,
    activation: Activation? = nil, hasResidual: Bool = false, keepsPreactivation: Bool = false,
    accumulates: Bool = false,
  ) {
    self.transposeA = transposeA
    self.transposeB = transposeB
    self.isBatched = isBatched
    self.hasBias = hasBias
    self.activation = activation
    self.hasResidual = hasResidual
    self.keepsPreactivation = keepsPreactivation && activation != nil
    self.accumulates = accumulates
  }

  public var signature: String {
    let batch = isBatched ? "batch, " : ""
    var inputs = [
      transposeA ? "a [\(batch)k, m]" : "a [\(batch)m, k]",
      transposeB ? "b [\(batch)n, k]" : "b [\(batch)k, n]",
    ]
    if hasBias { inputs.append("bias [n]") }
    if hasResidual { inputs.append("residual [\(batch)m, n]") }
    let outputs = ["c [\(batch)m, n]"] + (keepsPreactivation ? ["preactivation [\(batch)m, n]"] : [])
    return inputs.joined(separator: ", ") + " > " + outputs.joined(separator: ", ")
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard accumulates, hasBias || hasResidual || activation != nil else { return }
    throw ShapeError(
      operation: Self.name, expected: signature, problem: "a product that accumulates has no epilogue")
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = extents(inputs[0].shape, inputs[1].shape)
    return Cost(
      flops: 2 * Double(size.batch) * Double(size.m) * Double(size.n) * Double(size.k),
      moving: inputs + outputs)
  }

  /// Lengths of a product.
  struct Extents: Hashable {
    let batch: Int
    let m: Int
    let n: Int
    let k: Int
  }

  func extents(_ a: Shape, _ b: Shape) -> Extents {
    let axis = isBatched ? 1 : 0
    return Extents(
      batch: isBatched ? a[0] : 1, m: a[axis + (transposeA ? 1 : 0)], n: b[axis + (transposeB ? 0 : 1)],
      k: a[axis + (transposeA ? 0 : 1)])
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = extents(inputs[0].shape, inputs[1].shape)
    let program = activation.map { activation in PointwiseProgram(inputs: 1) { [activation($0[0])] } }
    for batch in 0..<size.batch {
      for row in 0..<size.m {
        for column in 0..<size.n {
          var sum: Scalar = 0
          for inner in 0..<size.k {
            let a = transposeA ? inner * size.m + row : row * size.k + inner
            let b = transposeB ? column * size.k + inner : inner * size.n + column
            sum += inputs[0][batch * size.m * size.k + a] * inputs[1][batch * size.k * size.n + b]
          }
          let place = (batch * size.m + row) * size.n + column
          if hasBias { sum += inputs[2][column] }
          if keepsPreactivation { outputs[1][place] = sum }
          if let program { sum = program.evaluate([sum])[0] }
          if hasResidual { sum += inputs[hasBias ? 3 : 2][place] }
          outputs[0][place] = accumulates ? outputs[0][place] + sum : sum
        }
      }
    }
  }

  // MARK: Gradient

  /// With the sum before the activation function.
  public var activations: Set<Int> { keepsPreactivation ? [0, 1] : [0] }

  public var saved: SavedTensors {
    SavedTensors(inputs: [0, 1], outputs: keepsPreactivation ? [1] : [])
  }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    if hasResidual { context.add(cotangent, to: hasBias ? 3 : 2) }
    let dc = cotangentBeforeActivation(cotangent, context)
    if hasBias, context.needs(2) {
      context.add(SumRows(), [dc.reshaped(to: [dc.shape.rows, dc.shape.last])], to: 2)
    }
    if context.needs(0) {
      let b = context.input(1)
      context.add(
        transposeA
          ? MatMul(transposeA: transposeB, transposeB: true, isBatched: isBatched)
          : MatMul(transposeB: !transposeB, isBatched: isBatched),
        transposeA ? [b, dc] : [dc, b], to: 0)
    }
    if context.needs(1) {
      let a = context.input(0)
      context.add(
        transposeB
          ? MatMul(transposeA: true, transposeB: transposeA, isBatched: isBatched)
          : MatMul(transposeA: !transposeA, isBatched: isBatched),
        transposeB ? [dc, a] : [a, dc], to: 1)
    }
  }

  private func cotangentBeforeActivation(_ cotangent: Tensor, _ context: GradientContext) -> Tensor {
    guard let activation else { return cotangent }
    precondition(keepsPreactivation, "matmul: a gradient through an activation needs keepsPreactivation")
    let program = PointwiseProgram(inputs: 1) { [activation($0[0])] }.gradient(of: [0])
    let preactivation = context.output(1).reshaped(to: cotangent.shape)
    return context.tape.apply(Pointwise(program), [preactivation, cotangent])[0]
  }

  // MARK: Host

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let a = HostArray<Float>(inputs[0].memory), let b = HostArray<Float>(inputs[1].memory),
      let c = HostArray<Float>(outputs[0].memory)
    else { return }
    let size = extents(inputs[0].shape, inputs[1].shape)
    let product = HostProduct(
      transposeA: transposeA, transposeB: transposeB, m: size.m, n: size.n, k: size.k,
      beta: accumulates ? 1 : 0)
    for batch in 0..<size.batch {
      product.run(
        .init(a.pointer + batch * size.m * size.k, stride: transposeA ? size.m : size.k),
        .init(b.pointer + batch * size.k * size.n, stride: transposeB ? size.k : size.n),
        .init(c.pointer + batch * size.m * size.n, stride: size.n), on: device.threads)
    }
    if let epilogue { try epilogue.run(on: device, [outputs[0]] + inputs[2...], outputs) }
  }

  /// What follows the product, in place; nil when nothing does.
  private var epilogue: Pointwise? {
    guard hasBias || hasResidual || activation != nil else { return nil }
    let (hasBias, activation, keeps) = (hasBias, activation, keepsPreactivation)
    let operands: [Pointwise.Operand] =
      [.init(0)] + (hasBias ? [.init(1, .row)] : []) + (hasResidual ? [.init(hasBias ? 2 : 1)] : [])
    let program = PointwiseProgram(inputs: operands.count) { [hasResidual] x in
      let sum = hasBias ? x[0] + x[1] : x[0]
      let value = activation.map { $0(sum) } ?? sum
      return [hasResidual ? value + x[hasBias ? 2 : 1] : value] + (keeps ? [sum] : [])
    }
    return Pointwise(program, operands: operands)
  }
}

extension Tape {
  /// `a b` of two matrices, or of two batches of matrices.
  public func matmul(_ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false) -> Tensor {
    apply(MatMul(transposeA: transposeA, transposeB: transposeB, isBatched: a.shape.rank == 3), [a, b])[0]
  }

  /// A linear layer on the last axis: `activation(x w^T + bias)`.
  ///
  /// - Parameters:
  ///   - x: [..., in].
  ///   - weight: [out, in], or [in, out] with `weightIsTransposed` (GPT-2's layout).
  ///   - bias: [out].
  public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor? = nil, activation: Activation? = nil,
    weightIsTransposed: Bool = false,
  ) -> Tensor {
    let operation = MatMul(
      transposeB: !weightIsTransposed, hasBias: bias != nil, activation: activation,
      keepsPreactivation: activation != nil && isRecording)
    let inputs = [x.reshaped(to: [x.shape.rows, x.shape.last]), weight] + (bias.map { [$0] } ?? [])
    let y = apply(operation, inputs)[0]
    return y.reshaped(to: Shape(x.shape.dimensions.dropLast() + [y.shape.last]))
  }
}
