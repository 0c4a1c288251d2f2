import CHost
import Kernels

/// The fused backward of RMSNorm and LayerNorm: one pass gives dx and, per block of rows, the parameters' gradients,
/// which ``SumRows`` then adds up into the parameter.
struct NormBackward: Sendable {
  /// Rows of one partial sum.
  ///
  /// Part of the result's order of additions, so the same on every device.
  static let blockRows = 16

  let isCentered: Bool
  let weightOffset: Double
  let hasWeight: Bool
  /// The residual stream goes on behind the norm: its gradient is added in the same pass.
  let hasSumCotangent: Bool
  let hasStatisticsCotangents: Bool
  let hasWeightGradient: Bool
  let hasBiasGradient: Bool
  /// Number of rows; fixes the number of partial sums.
  let rows: Int

  var blocks: Int { (rows + Self.blockRows - 1) / Self.blockRows }

  var operands: NormOperands {
    let mean: [NormOperand] = isCentered ? [.mean] : []
    let statistics: [NormOperand] = isCentered ? [.dmean, .drstd] : [.drstd]
    return NormOperands(
      inputs: [.x] + mean + [.rstd, .dy] + (hasWeight ? [.weight] : []) + (hasSumCotangent ? [.dsum] : [])
        + (hasStatisticsCotangents ? statistics : []),
      outputs: [.dx] + (hasWeightGradient ? [.dweight] : []) + (hasBiasGradient ? [.dbias] : []))
  }

  func validate(_ inputs: [TensorType], of operation: String) throws(ShapeError) {
    guard inputs[0].shape.last > 0, inputs[0].shape.rows == rows else {
      throw ShapeError(
        operation: operation, expected: operands.signature(blocks: blocks),
        problem: "x \(inputs[0]) does not have \(rows) rows of at least one value")
    }
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[0].shape.last
    let operands = operands
    let at = { (operand: NormOperand, index: Int) in operands.input(operand).map { inputs[$0][index] } }
    let weightOutput = operands.output(.dweight)
    let biasOutput = operands.output(.dbias)
    for output in [weightOutput, biasOutput].compactMap({ $0 }) {
      for index in 0..<blocks * dim { outputs[output][index] = 0 }
    }
    for row in 0..<rows {
      let mean = at(.mean, row) ?? 0
      let rstd = at(.rstd, row) ?? 0
      let dy = (0..<dim).map { at(.dy, row * dim + $0) ?? 0 }
      let h = (0..<dim).map { (inputs[0][row * dim + $0] - mean) * rstd }
      let g = (0..<dim).map { dy[$0] * (at(.weight, $0).map { $0 + Scalar(weightOffset) } ?? 1) }
      let dot = zip(g, h).reduce(0) { $0 + $1.0 * $1.1 }
      let along = (dot + (at(.drstd, row) ?? 0) * rstd) / Scalar(dim)
      let shift = isCentered ? (rstd * g.reduce(0, +) - (at(.dmean, row) ?? 0)) / Scalar(dim) : 0
      for column in 0..<dim {
        let index = row * dim + column
        outputs[0][index] = rstd * (g[column] - h[column] * along) - shift + (at(.dsum, index) ?? 0)
        let partial = row / Self.blockRows * dim + column
        if let weightOutput { outputs[weightOutput][partial] += dy[column] * h[column] }
        if let biasOutput { outputs[biasOutput][partial] += dy[column] }
      }
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) {
    let (rows, dim) = (rows, inputs[0].shape.last)
    let tensors = operands.tensors(inputs, outputs)
    let gainMemory = tensors.gain(on: device, offset: weightOffset, dim: dim)
    defer { withExtendedLifetime(gainMemory) {} }
    guard let x = tensors.array(.x), let rstd = tensors.array(.rstd), let dy = tensors.array(.dy),
      let dx = tensors.array(.dx), let gain = HostArray<Float>(gainMemory)
    else { return }
    let mean = tensors.array(.mean)
    let dsum = tensors.array(.dsum)
    let dmean = tensors.array(.dmean)
    let drstd = tensors.array(.drstd)
    let dweight = tensors.array(.dweight)
    let dbias = tensors.array(.dbias)
    device.threads.forRanges(blocks, grain: max(1, 65_536 / (dim * Self.blockRows))) { range in
      for block in range {
        let row = block * Self.blockRows
        let start = row * dim
        nibble_norm_backward(
          x.pointer + start, mean.map { $0.pointer + row }, rstd.pointer + row, dy.pointer + start,
          gain.pointer, dsum.map { $0.pointer + start }, dmean.map { $0.pointer + row },
          drstd.map { $0.pointer + row }, dx.pointer + start, dweight.map { $0.pointer + block * dim },
          dbias.map { $0.pointer + block * dim }, min(Self.blockRows, rows - row), dim)
      }
    }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard rows > 0 else { return }
    let dim = inputs[0].shape.last
    let tensors = operands.tensors(inputs, outputs)
    typealias Operand = Buffer<Float>
    let kernel:
      Kernel<
        Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand, Operand,
        Float, UInt32, UInt32, UInt32
      > = try device.kernel("norm_backward", in: "norm", Self.definitions(dim: dim, on: device))
    kernel(
      tensors.buffer(.x), tensors.buffer(.mean), tensors.buffer(.rstd), tensors.buffer(.dy),
      tensors.buffer(.weight), tensors.buffer(.dsum), tensors.buffer(.dmean), tensors.buffer(.drstd),
      tensors.buffer(.dx), tensors.buffer(.dweight), tensors.buffer(.dbias), Float(weightOffset),
      UInt32(rows), UInt32(dim), UInt32(Self.blockRows), over: .groups(blocks))
  }

  /// One work-item has a whole row on processors; elsewhere several share it.
  static func definitions(dim: Int, on device: OpenCLDevice) -> [String: String] {
    let shape = device.configuration(RowConfiguration.self, for: RowConfiguration.problem(length: dim))
    return ["LANES": "\(shape.lanes)"]
  }
}

extension NormBackward {
  /// Cases of a gradient operation: every combination of operands that a model meets, at awkward sizes.
  static func samples(isCentered: Bool, _ operation: (NormBackward) -> any Operation) -> [Sample] {
    let sizes = [(1, 1), (3, 7), (17, 16), (33, 9), (5, 40), (18, 290), (3, 1030)]
    return sizes.flatMap { rows, dim in
      [false, true].map { isFull in
        let backward = NormBackward(
          isCentered: isCentered, weightOffset: isFull && !isCentered ? 1 : 0,
          hasWeight: isFull || rows == 17,
          hasSumCotangent: isFull, hasStatisticsCotangents: isFull && rows != 3,
          hasWeightGradient: isFull || rows == 17, hasBiasGradient: isFull && isCentered, rows: rows)
        let inputs = backward.operands.inputs.map { operand -> Sample.Input in
          switch operand {
          case .rstd: .init([rows], .float32, .uniform(0.5...2))
          case .mean, .dmean, .drstd: .init([rows])
          case .weight: .init([dim])
          default: .init([rows, dim])
          }
        }
        return Sample("\(rows)x\(dim)\(isFull ? " full" : "")", operation(backward), inputs)
      }
    }
  }
}
