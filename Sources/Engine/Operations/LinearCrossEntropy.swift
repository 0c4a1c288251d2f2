import Kernels

/// Cross-entropy of `hidden weight^T + bias` without ever keeping the logits [n, v].
///
/// They are made for some rows at a time. See ``CrossEntropyOptions`` for the definition.
/// This is the loss alone. Its backward makes the logits a second time; while training,
/// ``LinearCrossEntropyWithGradient`` saves that.
public struct LinearCrossEntropy: DifferentiableOperation, CrossEntropyOperation {
  public static let name = "linear_cross_entropy"
  public let options: CrossEntropyOptions
  public let hasBias: Bool
  /// Rows of logits that exist at a time; nil chooses.
  public let chunkRows: Int?

  public init(_ options: CrossEntropyOptions = CrossEntropyOptions(), hasBias: Bool, chunkRows: Int? = nil) {
    self.options = options
    self.hasBias = hasBias
    self.chunkRows = chunkRows
  }

  public var signature: String {
    "hidden [n, d], weight [v, d]\(hasBias ? ", bias [v]" : ""), labels: int32 [n]"
      + " > loss [1], token_losses [n], log_sum_exp [n]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(columns: inputs[1].shape[0], operation: Self.name, signature: signature)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    var sum: Scalar = 0
    for row in 0..<inputs[0].shape[0] {
      let logits = Self.logits(row, inputs, hasBias: hasBias)
      let label = inputs[hasBias ? 3 : 2].integer(row)
      let result = CrossEntropyReference(options, logits: logits, label: label)
      outputs[1][row] = result.tokenLoss
      outputs[2][row] = result.logSumExp
      sum += result.tokenLoss
    }
    outputs[0][0] = sum * Scalar(options.scale)
  }

  /// One row of `hidden weight^T + bias`.
  static func logits<Scalar: ReferenceScalar>(
    _ row: Int, _ inputs: [ReferenceTensor<Scalar>], hasBias: Bool,
  ) -> [Scalar] {
    let width = inputs[0].shape[1]
    return (0..<inputs[1].shape[0]).map { column in
      var sum: Scalar = hasBias ? inputs[2][column] : 0
      for index in 0..<width { sum += inputs[0][row * width + index] * inputs[1][column * width + index] }
      return sum
    }
  }

  func run(_ inputs: [Tensor], _ outputs: [Tensor], on device: some CrossEntropyDevice) throws {
    let head = ChunkedHead(
      options: options, hidden: inputs[0], weight: inputs[1], bias: hasBias ? inputs[2] : nil,
      chunkRows: chunkRows)
    let operands = CrossEntropyRows.Operands(
      logits: head.chunk(on: device), labels: inputs[hasBias ? 3 : 2].memory, tokenLosses: outputs[1].memory,
      logSumExp: outputs[2].memory)
    try head.forEachChunk { rows in
      try head.makeLogits(rows, in: operands.logits, on: device)
      try device.run(head.pass, operands, rows)
    }
    try device.sum(head.pass, outputs[1].memory, to: outputs[0].memory)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    ChunkedHead.cost(inputs, outputs, products: 1)
  }

  public func workspace(_ inputs: [TensorType]) -> Int { ChunkedHead.workspace(inputs, chunkRows) }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors(inputs: hasBias ? [0, 1, 2, 3] : [0, 1, 2]) }

  public func backward(_ context: GradientContext) {
    let (cotangents, tensors) = context.crossEntropyCotangents(first: 0)
    let operation = LinearCrossEntropyWithGradient(
      options, hasBias: hasBias, weightGradient: context.needs(1) ? .output : .none, cotangents: cotangents,
      chunkRows: chunkRows)
    let inputs = (0..<(hasBias ? 4 : 3)).map { context.input($0) } + tensors
    let others =
      context.needs(1) ? context.add(operation, inputs, to: 1) : context.tape.apply(operation, inputs)
    context.add(others[0], to: 0)
    if hasBias { context.add(others[4], to: 2) }
  }
}

/// What the two operations share: how rows are cut into chunks, and a chunk's logits.
struct ChunkedHead {
  let options: CrossEntropyOptions
  let hidden: Tensor
  let weight: Tensor
  let bias: Tensor?
  let chunkRows: Int?

  var pass: CrossEntropyRows { CrossEntropyRows(options: options) }
  var columns: Int { weight.shape[0] }
  var width: Int { weight.shape[1] }
  private var rows: Int { hidden.shape[0] }

  /// Elements of a chunk's logits: 32 MiB.
  ///
  /// Every chunk reads and writes the whole gradient of the weight, so it must not be small.
  private static let chunkElements = 8 << 20

  /// Rows of a chunk: chunks of nearly equal size, a multiple of 8 rows.
  static func chunkRows(rows: Int, columns: Int, wanted: Int?) -> Int {
    if let wanted { return max(1, min(wanted, max(1, rows))) }
    let most = max(8, chunkElements / max(1, columns) / 8 * 8)
    let chunks = max(1, (rows + most - 1) / most)
    return max(1, min(rows, ((rows + chunks - 1) / chunks + 7) / 8 * 8))
  }

  private var chunkSize: Int { Self.chunkRows(rows: rows, columns: columns, wanted: chunkRows) }

  /// Memory for the logits of one chunk.
  func chunk(on device: some OperationDevice) -> Memory { device.allocate(chunkSize * columns, of: .float32) }

  static func workspace(_ inputs: [TensorType], _ chunkRows: Int?) -> Int {
    let columns = inputs[1].shape[0]
    let rows = Self.chunkRows(rows: inputs[0].shape[0], columns: columns, wanted: chunkRows)
    return rows * columns * ElementType.float32.byteCount
  }

  static func cost(_ inputs: [TensorType], _ outputs: [TensorType], products: Double) -> Cost {
    let logits = Double(inputs[0].shape[0]) * Double(inputs[1].shape[0])
    return Cost(flops: logits * (2 * products * Double(inputs[1].shape[1]) + 7), moving: inputs + outputs)
  }

  func forEachChunk(_ body: (CrossEntropyRows.Rows) throws -> Void) rethrows {
    for first in stride(from: 0, to: rows, by: chunkSize) {
      try body(.init(first: first, count: min(chunkSize, rows - first), columns: columns))
    }
  }

  /// `logits = hidden weight^T + bias` of the chunk's rows.
  func makeLogits(
    _ rows: CrossEntropyRows.Rows, in logits: Memory, on device: some CrossEntropyDevice,
  ) throws {
    if let bias { try device.execute(RepeatRow(rows: rows.count), [bias], [tensor(rows, logits)]) }
    try device.multiply(
      hidden.memory, weight.memory, to: logits, m: rows.count, n: columns, k: width, transposeA: false,
      transposeB: true, accumulates: bias != nil, offsets: (rows.first * width, 0, 0))
  }

  /// The chunk's logits as a tensor: the last chunk may have fewer rows.
  func tensor(_ rows: CrossEntropyRows.Rows, _ logits: Memory) -> Tensor {
    let count = rows.count * columns
    return Tensor(
      count == logits.count ? logits : logits.view(from: 0, count: count), shape: [rows.count, columns])
  }
}
