import CHost
import Kernels

/// What a tensor means to a normalization.
///
/// RMSNorm and LayerNorm share one implementation; operands that a form does not have are left out of its
/// lists.
enum NormOperand: String, Sendable {
  case x, residual, weight, bias, y, sum, mean, rstd, dy, dsum, dmean, drstd, dx, dweight, dbias

  func shape(blocks: Int = 0) -> String {
    switch self {
    case .x, .residual, .y, .sum, .dy, .dsum, .dx: "[..., dim]"
    case .mean, .rstd, .dmean, .drstd: "[...]"
    case .weight, .bias: "[dim]"
    case .dweight, .dbias: "[\(blocks), dim]"
    }
  }
}

/// The operands of one form of a normalization, in order.
struct NormOperands: Sendable {
  let inputs: [NormOperand]
  let outputs: [NormOperand]

  func signature(blocks: Int = 0) -> String {
    let text = { (list: [NormOperand]) in
      list.map { "\($0.rawValue) \($0.shape(blocks: blocks))" }.joined(separator: ", ")
    }
    return "\(text(inputs)) > \(text(outputs))"
  }

  func input(_ operand: NormOperand) -> Int? { inputs.firstIndex(of: operand) }
  func output(_ operand: NormOperand) -> Int? { outputs.firstIndex(of: operand) }

  /// The tensors of one execution by meaning.
  func tensors(_ inputs: [Tensor], _ outputs: [Tensor]) -> NormTensors {
    var known: [NormOperand: Tensor] = [:]
    for (operand, tensor) in zip(self.inputs, inputs) { known[operand] = tensor }
    for (operand, tensor) in zip(self.outputs, outputs) { known[operand] = tensor }
    return NormTensors(tensors: known)
  }
}

struct NormTensors {
  let tensors: [NormOperand: Tensor]

  func array(_ operand: NormOperand) -> HostArray<Float>? {
    tensors[operand].flatMap { HostArray($0.memory) }
  }
  func buffer(_ operand: NormOperand) -> Buffer<Float> { Buffer(tensors[operand]?.memory) }

  /// weight + offset, or ones without a weight, so that the loops know one form.
  ///
  /// The caller keeps the memory while it reads.
  func gain(on device: HostDevice, offset: Double, dim: Int) -> Memory {
    let memory = device.allocate(dim, of: .float32)
    guard let gain = HostArray<Float>(memory) else { return memory }
    let weight = array(.weight)
    for column in 0..<dim { gain[column] = weight.map { $0[column] + Float(offset) } ?? 1 }
    return memory
  }
}

/// The forward of RMSNorm and LayerNorm.
struct NormForward: Sendable {
  /// LayerNorm subtracts the mean, RMSNorm does not.
  let isCentered: Bool
  let epsilon: Double
  let weightOffset: Double
  let hasWeight: Bool
  let hasBias: Bool
  let hasResidual: Bool

  var operands: NormOperands {
    NormOperands(
      inputs: [.x] + (hasResidual ? [.residual] : []) + (hasWeight ? [.weight] : [])
        + (hasBias ? [.bias] : []),
      outputs: [.y] + (isCentered ? [.mean] : []) + [.rstd] + (hasResidual ? [.sum] : []))
  }

  func validate(_ inputs: [TensorType], of operation: String) throws(ShapeError) {
    guard inputs[0].shape.last > 0 else {
      throw ShapeError(
        operation: operation, expected: operands.signature(), problem: "'dim' is 0 in x \(inputs[0])")
    }
    guard epsilon >= 0, epsilon.isFinite, weightOffset.isFinite else {
      throw ShapeError(
        operation: operation, expected: operands.signature(),
        problem: "epsilon \(epsilon) and weight offset \(weightOffset) must be finite, epsilon not negative")
    }
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    let operands = operands
    for row in 0..<inputs[0].shape.rows {
      var z = (0..<dim).map { inputs[0][row * dim + $0] }
      if let residual = operands.input(.residual), let sum = operands.output(.sum) {
        for column in 0..<dim {
          z[column] += inputs[residual][row * dim + column]
          outputs[sum][row * dim + column] = z[column]
        }
      }
      let mean = isCentered ? z.reduce(0, +) / Scalar(dim) : 0
      let variance = z.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Scalar(dim)
      let rstd = 1 / (variance + Scalar(epsilon)).squareRoot()
      for column in 0..<dim {
        var value = (z[column] - mean) * rstd
        if let weight = operands.input(.weight) { value *= inputs[weight][column] + Scalar(weightOffset) }
        if let bias = operands.input(.bias) { value += inputs[bias][column] }
        outputs[0][row * dim + column] = value
      }
      if let output = operands.output(.mean) { outputs[output][row] = mean }
      if let output = operands.output(.rstd) { outputs[output][row] = rstd }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) {
    let (rows, dim) = (inputs[0].shape.rows, inputs[0].shape.last)
    let tensors = operands.tensors(inputs, outputs)
    let gainMemory = tensors.gain(on: device, offset: weightOffset, dim: dim)
    defer { withExtendedLifetime(gainMemory) {} }
    guard let x = tensors.array(.x), let y = tensors.array(.y), let rstd = tensors.array(.rstd),
      let gain = HostArray<Float>(gainMemory)
    else { return }
    let residual = tensors.array(.residual)
    let sum = tensors.array(.sum)
    let bias = tensors.array(.bias)
    let mean = tensors.array(.mean)
    let epsilon = Float(epsilon)
    device.threads.forRanges(rows, grain: max(1, 65_536 / dim)) { range in
      let (row, start) = (range.lowerBound, range.lowerBound * dim)
      nibble_norm_forward(
        x.pointer + start, residual.map { $0.pointer + start }, gain.pointer, bias?.pointer,
        y.pointer + start, sum.map { $0.pointer + start }, mean.map { $0.pointer + row },
        rstd.pointer + row, epsilon, range.count, dim)
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, dim) = (inputs[0].shape.rows, inputs[0].shape.last)
    guard rows > 0 else { return }
    let tensors = operands.tensors(inputs, outputs)
    typealias Operand = Buffer<Float>
    let kernel:
      Kernel<
        Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand, Float, Float, UInt32, UInt32,
        UInt32
      > = try device.kernel("norm_forward", in: "norm", NormBackward.definitions(dim: dim, on: device))
    // A processor's work-item hides its start behind some ten thousand elements.
    let block = device.description.kernelStyle == .processor ? max(1, 16_384 / dim) : 1
    kernel(
      tensors.buffer(.x), tensors.buffer(.residual), tensors.buffer(.weight), tensors.buffer(.bias),
      tensors.buffer(.y), tensors.buffer(.sum), tensors.buffer(.mean), tensors.buffer(.rstd), Float(epsilon),
      Float(weightOffset), UInt32(rows), UInt32(dim), UInt32(block), over: .groups((rows + block - 1) / block)
    )
  }

  // MARK: Gradient

  /// Where x is the sum when a residual was added; the mean and rstd are small.
  var saved: SavedTensors {
    let operands = operands
    let outputs = [NormOperand.mean, .rstd, .sum].compactMap { operands.output($0) }
    return SavedTensors(
      inputs: Set((hasResidual ? [] : [0]) + [operands.input(.weight)].compactMap { $0 }),
      outputs: Set(outputs))
  }

  /// Hands over all gradients; `operation` wraps the fused backward in the operation's own type.
  func backward<Gradient: Operation>(_ context: GradientContext, as operation: (NormBackward) -> Gradient) {
    let operands = operands
    let dsum = operands.output(.sum).flatMap { context.cotangent($0) }
    let statistics = [NormOperand.mean, .rstd].compactMap { operands.output($0) }
    let hasStatistics = statistics.contains { context.cotangent($0) != nil }
    guard context.cotangent(0) != nil || hasStatistics else {
      // Only the sum was used: the addition's own gradient.
      guard let dsum else { return }
      for input in [NormOperand.x, .residual].compactMap({ operands.input($0) }) {
        context.add(dsum, to: input)
      }
      return
    }
    let z = operands.output(.sum).map { context.output($0) } ?? context.input(0)
    let backward = NormBackward(
      isCentered: isCentered, weightOffset: weightOffset, hasWeight: hasWeight, hasSumCotangent: dsum != nil,
      hasStatisticsCotangents: hasStatistics, hasWeightGradient: needs(.weight, context),
      hasBiasGradient: needs(.bias, context), rows: z.shape.rows)
    var inputs = [z] + statistics.map { context.output($0) } + [context.cotangentOrZero(0)]
    if let weight = operands.input(.weight) { inputs.append(context.input(weight)) }
    if let dsum { inputs.append(dsum) }
    if hasStatistics { inputs += statistics.map { context.cotangentOrZero($0) } }
    let gradients = context.tape.apply(operation(backward), inputs)
    for (operand, gradient) in zip(backward.operands.outputs, gradients) {
      switch operand {
      case .dweight: if let input = operands.input(.weight) { context.add(SumRows(), [gradient], to: input) }
      case .dbias: if let input = operands.input(.bias) { context.add(SumRows(), [gradient], to: input) }
      default:
        for input in [NormOperand.x, .residual].compactMap({ operands.input($0) }) {
          context.add(gradient, to: input)
        }
      }
    }
  }

  private func needs(_ operand: NormOperand, _ context: GradientContext) -> Bool {
    operands.input(operand).map { context.needs($0) } ?? false
  }
}
