import Kernels

/// The gradient of ``RWKV7``; states are made again, not kept.
///
/// Outputs in the order of the forward's inputs.
struct RWKV7Gradient: Operation {
  static let name = "rwkv7_gradient"
  let forward: RWKV7
  /// A cotangent of the final state is the last input.
  let hasFinalCotangent: Bool

  init(_ forward: RWKV7, hasFinalCotangent: Bool) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
  }

  /// Position of the output's cotangent.
  var cotangentPosition: Int { RWKV7.extrasPosition + forward.options.extraCount }

  var signature: String {
    let rows = ["receptance", "log_decay", "key", "removal", "replacement"]
      .map { "\($0)_gradient [batch, time, heads, k]" }
    return forward.operands + ", cotangent [batch, time, heads, v]"
      + (hasFinalCotangent ? ", final_cotangent [batch, heads, k, v]" : "")
      + " > " + rows.joined(separator: ", ") + ", value_gradient [batch, time, heads, v]"
      + (forward.options.hasInitialState ? ", initial_state_gradient [batch, heads, k, v]" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
      .validate(operation: Self.name, signature: signature)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    // The forward's passes for the states, twice as many for what meets them and for their gradients.
    return Cost(
      flops: 10 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    for index in 0..<RWKV7.extrasPosition {
      for place in 0..<outputs[index].shape.count { outputs[index][place] = 0 }
    }
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let place = (batch * size.heads + head) * size.stateCount
        var gradient = [Scalar](repeating: 0, count: size.stateCount)
        if hasFinalCotangent {
          gradient = Array(inputs[cotangentPosition + 1].values[place..<place + size.stateCount])
        }
        let steps: [RWKV7.Step<Scalar>] = forward.steps(inputs, size, batch: batch, head: head)
        let documents = forward.options.extras(of: inputs, from: RWKV7.extrasPosition).documents
        for (time, step) in steps.enumerated().reversed() {
          let row = size.row(batch, time, head, width: size.width)
          let value = size.row(batch, time, head, width: size.valueWidth)
          reference(step, inputs, &outputs, size, row: row, value: value, &gradient)
          guard RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) else {
            continue
          }
          gradient = [Scalar](repeating: 0, count: size.stateCount)
        }
        guard forward.options.hasInitialState else { continue }
        for index in 0..<size.stateCount { outputs[RWKV7.extrasPosition][place + index] = gradient[index] }
      }
    }
  }

  /// One token, whose rows of keys start at `row` and of values at `value`; `gradient` is that of the state behind it and
  /// becomes that of the state in front of it.
  private func reference<Scalar: ReferenceScalar>(
    _ step: RWKV7.Step<Scalar>, _ inputs: [ReferenceTensor<Scalar>],
    _ outputs: inout [ReferenceTensor<Scalar>],
    _ size: RecurrenceExtents, row: Int, value: Int, _ gradient: inout [Scalar],
  ) {
    let scale = Scalar(forward.options.scale)
    var readGradient = [Scalar](repeating: 0, count: size.valueWidth)
    for index in 0..<size.stateCount {
      let (channel, column) = (index / size.valueWidth, index % size.valueWidth)
      let cotangent = inputs[cotangentPosition][value + column]
      gradient[index] += scale * inputs[0][row + channel] * cotangent
      outputs[0][row + channel] += scale * step.after[index] * cotangent
      outputs[2][row + channel] += gradient[index] * inputs[5][value + column]
      outputs[4][row + channel] += gradient[index] * step.read[column]
      outputs[5][value + column] += gradient[index] * inputs[2][row + channel]
      readGradient[column] += gradient[index] * inputs[4][row + channel]
      if inputs[1][row + channel] >= ScalarGatedLinearAttention.leastGate() {
        outputs[1][row + channel] += step.decays[channel] * step.before[index] * gradient[index]
      }
    }
    for index in 0..<size.stateCount {
      let (channel, column) = (index / size.valueWidth, index % size.valueWidth)
      outputs[3][row + channel] += step.before[index] * readGradient[column]
      gradient[index] =
        step.decays[channel] * gradient[index] + inputs[3][row + channel] * readGradient[column]
    }
  }
}
