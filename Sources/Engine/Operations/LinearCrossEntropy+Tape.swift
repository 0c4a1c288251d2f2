import Kernels

extension Tape {
  /// Cross-entropy of `hidden weight^T + bias` with labels, without keeping the logits.
  ///
  /// While recording, the gradients are computed together with the loss, and that of a weight which is a
  /// parameter is added to the parameter at once. The loss must then be what ``backward(from:)`` starts from;
  /// token losses and log-sum-exp carry no gradient. Gradients of the last step must be cleared before this call,
  /// not before the backward, and those of a step that is given up after it must be cleared too.
  ///
  /// - Parameters:
  ///   - hidden: [..., d]
  ///   - weight: [v, d]; may be the embedding table.
  ///   - bias: [v] or nil.
  ///   - labels: int32, one per row of `hidden`, already shifted.
  ///   - isRoot: False where the loss is only part of what is differentiated: the logits are then made again in
  ///     the backward, and all three results can be used.
  public func linearCrossEntropy(
    hidden: Tensor, weight: Tensor, bias: Tensor? = nil, labels: Tensor,
    _ options: CrossEntropyOptions = CrossEntropyOptions(), isRoot: Bool = true,
  ) -> CrossEntropyResult {
    let rows = hidden.reshaped(to: [hidden.shape.rows, hidden.shape.last])
    let inputs = [rows, weight] + [bias].compactMap { $0 } + [labels.reshaped(to: [labels.shape.count])]
    let hasBias = bias != nil
    guard isRoot, isRecording, inputs.contains(where: { $0.variable != nil }) else {
      let outputs = apply(LinearCrossEntropy(options, hasBias: hasBias), inputs)
      return CrossEntropyResult(loss: outputs[0], tokenLosses: outputs[1], logSumExp: outputs[2])
    }
    let target = gradientDestination(of: weight)
    let operation = LinearCrossEntropyWithGradient(
      options, hasBias: hasBias,
      weightGradient: target != nil ? .delivered : weight.variable != nil ? .output : .none,
      accumulates: target?.accumulates ?? false)
    let outputs = apply(operation, inputs, into: target.map { [0: $0.tensor] } ?? [:])
    let first = operation.hiddenPosition + 1
    if target != nil { requireRoot(outputs[first], of: LinearCrossEntropyWithGradient.name) }
    return CrossEntropyResult(
      loss: outputs[first], tokenLosses: outputs[first + 1].detached, logSumExp: outputs[first + 2].detached)
  }

  /// `x * factor[0]`, without a gradient.
  func multiply(_ x: Tensor, byFirstOf factor: Tensor) -> Tensor {
    let program = PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }
    return apply(Pointwise(program, operands: [.init(0), .init(1, .element(0))]), [x, factor])[0]
  }
}
