import Kernels

/// Softmax cross-entropy of logits with integer labels; see ``CrossEntropyOptions`` for the definition.
///
/// `loss` is the sum of `token_losses` times the scale, `log_sum_exp` is that of every row. A label that is
/// neither a column nor the ignored index gives NaN.
public struct CrossEntropy: DifferentiableOperation, CrossEntropyOperation {
  public static let name = "cross_entropy"
  public let options: CrossEntropyOptions

  public init(_ options: CrossEntropyOptions = CrossEntropyOptions()) { self.options = options }

  public var signature: String {
    "logits [n, v], labels: int32 [n] > loss [1], token_losses [n], log_sum_exp [n]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(columns: inputs[0].shape[1], operation: Self.name, signature: signature)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = inputs[0].shape[1]
    var sum: Scalar = 0
    for row in 0..<inputs[0].shape[0] {
      let logits = inputs[0].values[row * columns..<(row + 1) * columns]
      let result = CrossEntropyReference(options, logits: logits, label: inputs[1].integer(row))
      outputs[1][row] = result.tokenLoss
      outputs[2][row] = result.logSumExp
      sum += result.tokenLoss
    }
    outputs[0][0] = sum * Scalar(options.scale)
  }

  func run(_ inputs: [Tensor], _ outputs: [Tensor], on device: some CrossEntropyDevice) throws {
    let pass = CrossEntropyRows(options: options)
    try device.run(
      pass,
      .init(
        logits: inputs[0].memory, labels: inputs[1].memory, tokenLosses: outputs[1].memory,
        logSumExp: outputs[2].memory),
      .init(first: 0, count: inputs[0].shape[0], columns: inputs[0].shape[1]))
    try device.sum(pass, outputs[1].memory, to: outputs[0].memory)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let count = Double(inputs[0].shape.count)
    return Cost(flops: 4 * count, bytes: 4 * count)
  }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }

  public func backward(_ context: GradientContext) {
    guard context.needs(0) else { return }
    let (cotangents, tensors) = context.crossEntropyCotangents(first: 0)
    let operation = CrossEntropyGradient(options, cotangents: cotangents)
    context.add(context.tape.apply(operation, [context.input(0), context.input(1)] + tensors)[0], to: 0)
  }
}

/// The gradient of ``CrossEntropy`` with respect to the logits.
///
/// It computes the softmax again: exp(l - log_sum_exp) would lose digits where the logits are large.
public struct CrossEntropyGradient: CrossEntropyOperation {
  public static let name = "cross_entropy_gradient"
  public let options: CrossEntropyOptions
  public let cotangents: CrossEntropyCotangents

  public init(_ options: CrossEntropyOptions, cotangents: CrossEntropyCotangents) {
    self.options = options
    self.cotangents = cotangents
  }

  public var signature: String { "logits [n, v], labels: int32 [n]\(cotangents.operands) > dlogits [n, v]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try options.validate(columns: inputs[0].shape[1], operation: Self.name, signature: signature)
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = inputs[0].shape[1]
    let given = cotangents.taken(from: inputs, at: 2)
    for row in 0..<inputs[0].shape[0] {
      let logits = inputs[0].values[row * columns..<(row + 1) * columns]
      let result = CrossEntropyReference(options, logits: logits, label: inputs[1].integer(row))
      let gradient = result.gradient(
        loss: given.loss?[0] ?? 1, token: given.tokens?[row] ?? 0, sum: given.sums?[row])
      for column in 0..<columns { outputs[0][row * columns + column] = gradient[column] }
    }
  }

  func run(_ inputs: [Tensor], _ outputs: [Tensor], on device: some CrossEntropyDevice) throws {
    let given = cotangents.taken(from: inputs, at: 2)
    try device.run(
      CrossEntropyRows(options: options),
      .init(
        logits: inputs[0].memory, labels: inputs[1].memory, gradient: outputs[0].memory,
        lossCotangent: given.loss?.memory, tokenCotangents: given.tokens?.memory,
        logSumExpCotangents: given.sums?.memory),
      .init(first: 0, count: inputs[0].shape[0], columns: inputs[0].shape[1]))
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let count = Double(inputs[0].shape.count)
    return Cost(flops: 7 * count, bytes: 8 * count)
  }
}

extension GradientContext {
  /// The cotangents of loss, token losses and log-sum-exp, outputs `first` and the two after it.
  func crossEntropyCotangents(first: Int) -> (kinds: CrossEntropyCotangents, tensors: [Tensor]) {
    let (tokens, sums) = (cotangent(first + 1), cotangent(first + 2))
    let kinds = CrossEntropyCotangents(ofLoss: true, ofTokenLosses: tokens != nil, ofLogSumExp: sums != nil)
    return (kinds, [cotangentOrZero(first)] + [tokens, sums].compactMap { $0 })
  }
}

extension Tape {
  /// Cross-entropy of logits [n, v] with labels [n]: the loss [1], the loss of each row and its log-sum-exp.
  public func crossEntropy(
    logits: Tensor, labels: Tensor, _ options: CrossEntropyOptions = CrossEntropyOptions(),
  ) -> CrossEntropyResult {
    let outputs = apply(CrossEntropy(options), [logits, labels])
    return CrossEntropyResult(loss: outputs[0], tokenLosses: outputs[1], logSumExp: outputs[2])
  }
}

/// What cross-entropy returns.
public struct CrossEntropyResult {
  /// [1]: the sum over rows times the scale.
  public let loss: Tensor
  /// [n]: the loss of each row, without the scale.
  public let tokenLosses: Tensor
  /// [n]: also of rows that are ignored.
  public let logSumExp: Tensor
}
