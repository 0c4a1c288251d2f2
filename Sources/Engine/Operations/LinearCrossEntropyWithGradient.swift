import Kernels

/// ``LinearCrossEntropy`` together with all its gradients.
///
/// Each chunk's logits are made once, turned into their gradient in place and multiplied out at once.
///
/// The gradients are those for the given cotangents; without any, for a cotangent of 1 of the loss.
public struct LinearCrossEntropyWithGradient: DifferentiableOperation, AccumulatingOperation,
  CrossEntropyOperation
{
  public static let name = "linear_cross_entropy_with_gradient"

  public enum WeightGradient: Sendable, Hashable {
    /// Not computed: the weight is frozen.
    case none
    /// The first output.
    case output
    /// The first output, which is the parameter's own gradient: the backward has nothing more to add.
    case delivered
  }

  public let options: CrossEntropyOptions
  public let hasBias: Bool
  public let weightGradient: WeightGradient
  public let cotangents: CrossEntropyCotangents
  /// Rows of logits that exist at a time; nil chooses.
  public let chunkRows: Int?
  public var accumulates: Bool

  public init(
    _ options: CrossEntropyOptions = CrossEntropyOptions(), hasBias: Bool,
    weightGradient: WeightGradient = .output,
    cotangents: CrossEntropyCotangents = CrossEntropyCotangents(), chunkRows: Int? = nil,
    accumulates: Bool = false,
  ) {
    precondition(!accumulates || weightGradient != .none, "there is no gradient of the weight to add to")
    self.options = options
    self.hasBias = hasBias
    self.weightGradient = weightGradient
    self.cotangents = cotangents
    self.chunkRows = chunkRows
    self.accumulates = accumulates
  }

  public var signature: String {
    "hidden [n, d], weight [v, d]\(hasBias ? ", bias [v]" : ""), labels: int32 [n]\(cotangents.operands)"
      + " > \(weightGradient == .none ? "" : "dweight [v, d], ")dhidden [n, d], loss [1], token_losses [n],"
      + " log_sum_exp [n]\(hasBias ? ", dbias [v]" : "")"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(columns: inputs[1].shape[0], operation: Self.name, signature: signature)
  }

  private var labelsPosition: Int { hasBias ? 3 : 2 }
  /// The position of `dhidden` among the outputs; loss, token losses, log-sum-exp and `dbias` follow.
  var hiddenPosition: Int { weightGradient == .none ? 0 : 1 }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (width, columns) = (inputs[0].shape[1], inputs[1].shape[0])
    let given = cotangents.taken(from: inputs, at: labelsPosition + 1)
    let at = hiddenPosition
    for index in outputs.indices where index > 0 || !accumulates {
      for element in outputs[index].values.indices { outputs[index][element] = 0 }
    }
    for row in 0..<inputs[0].shape[0] {
      let logits = LinearCrossEntropy.logits(row, inputs, hasBias: hasBias)
      let result = CrossEntropyReference(options, logits: logits, label: inputs[labelsPosition].integer(row))
      outputs[at + 1][0] += result.tokenLoss * Scalar(options.scale)
      outputs[at + 2][row] = result.tokenLoss
      outputs[at + 3][row] = result.logSumExp
      let gradient = result.gradient(
        loss: given.loss?[0] ?? 1, token: given.tokens?[row] ?? 0, sum: given.sums?[row])
      for column in 0..<columns {
        if hasBias { outputs[at + 4][column] += gradient[column] }
        for index in 0..<width {
          outputs[at][row * width + index] += gradient[column] * inputs[1][column * width + index]
          guard weightGradient != .none else { continue }
          outputs[0][column * width + index] += gradient[column] * inputs[0][row * width + index]
        }
      }
    }
  }

  func run(_ inputs: [Tensor], _ outputs: [Tensor], on device: some CrossEntropyDevice) throws {
    let at = hiddenPosition
    let head = ChunkedHead(
      options: options, hidden: inputs[0], weight: inputs[1], bias: hasBias ? inputs[2] : nil,
      chunkRows: chunkRows)
    let given = cotangents.taken(from: inputs, at: labelsPosition + 1)
    let logits = head.chunk(on: device)
    let operands = CrossEntropyRows.Operands(
      logits: logits, labels: inputs[labelsPosition].memory, tokenLosses: outputs[at + 2].memory,
      logSumExp: outputs[at + 3].memory, gradient: logits, lossCotangent: given.loss?.memory,
      tokenCotangents: given.tokens?.memory, logSumExpCotangents: given.sums?.memory)
    if inputs[0].shape[0] == 0 { clearSums(outputs, on: device) }
    try head.forEachChunk { rows in
      try head.makeLogits(rows, in: logits, on: device)
      try device.run(head.pass, operands, rows)
      try multiply(rows, head, logits, outputs, on: device)
    }
    try device.sum(head.pass, outputs[at + 2].memory, to: outputs[at + 1].memory)
  }

  /// The sums over rows when there are no rows.
  private func clearSums(_ outputs: [Tensor], on device: some OperationDevice) {
    if weightGradient != .none && !accumulates { device.zero(outputs[0].memory) }
    if hasBias { device.zero(outputs[hiddenPosition + 4].memory) }
  }

  /// From the gradient of a chunk's logits to those of hidden, weight and bias.
  private func multiply(
    _ rows: CrossEntropyRows.Rows, _ head: ChunkedHead, _ logits: Memory, _ outputs: [Tensor],
    on device: some CrossEntropyDevice,
  ) throws {
    let start = rows.first * head.width
    try device.multiply(
      logits, head.weight.memory, to: outputs[hiddenPosition].memory, m: rows.count, n: head.width,
      k: head.columns, transposeA: false, transposeB: false, accumulates: false, offsets: (0, 0, start))
    if weightGradient != .none {
      try device.multiply(
        logits, head.hidden.memory, to: outputs[0].memory, m: head.columns, n: head.width, k: rows.count,
        transposeA: true, transposeB: false, accumulates: accumulates || rows.first > 0,
        offsets: (0, start, 0))
    }
    guard hasBias else { return }
    try device.execute(
      SumRows(accumulates: rows.first > 0), [head.tensor(rows, logits)], [outputs[hiddenPosition + 4]])
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    ChunkedHead.cost(inputs, outputs, products: weightGradient == .none ? 2 : 3)
  }

  public func workspace(_ inputs: [TensorType]) -> Int { ChunkedHead.workspace(inputs, chunkRows) }

  /// The gradients themselves: they were computed with the loss.
  public var activations: Set<Int> { [] }

  public var saved: SavedTensors {
    var outputs: Set = [hiddenPosition]
    if weightGradient == .output { outputs.insert(0) }
    if hasBias { outputs.insert(hiddenPosition + 4) }
    return SavedTensors(outputs: outputs)
  }

  /// - Precondition: only the loss has a cotangent; 1 where the gradient of the weight is already delivered.
  public func backward(_ context: GradientContext) {
    let loss = hiddenPosition + 1
    let outputCount = hiddenPosition + (hasBias ? 5 : 4)
    precondition(
      (0..<outputCount).allSatisfy { $0 == loss || context.cotangent($0) == nil },
      "\(Self.name): only the loss can be differentiated")
    guard let cotangent = context.cotangent(loss) else { return }
    func handOver(_ output: Int, to input: Int) {
      guard context.needs(input) else { return }
      let gradient = context.output(output)
      let isScaled = weightGradient != .delivered
      context.add(isScaled ? context.tape.multiply(gradient, byFirstOf: cotangent) : gradient, to: input)
    }
    handOver(hiddenPosition, to: 0)
    if weightGradient == .output { handOver(0, to: 1) }
    if hasBias { handOver(hiddenPosition + 4, to: 2) }
  }
}
