import Kernels

/// The gradient of ``GatedDeltaRule``; states are made again, not kept.
///
/// Gradients of query and key come per value head [batch, time, heads, k].
struct GatedDeltaRuleGradient: Operation {
  static let name = "gated_delta_rule_gradient"
  let forward: GatedDeltaRule
  /// A cotangent of the final state is the last input.
  let hasFinalCotangent: Bool
  /// Gradients of the gates are among the outputs.
  let needsGate: Bool

  init(_ forward: GatedDeltaRule, hasFinalCotangent: Bool, needsGate: Bool) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
    self.needsGate = needsGate
  }

  /// Position of the output's cotangent.
  var cotangentPosition: Int { forward.extrasPosition + forward.options.extraCount }

  var signature: String {
    forward.operands + ", cotangent [batch, time, heads, v]"
      + (hasFinalCotangent ? ", final_cotangent [batch, heads, k, v]" : "")
      + " > query_gradient [batch, time, heads, k], key_gradient [batch, time, heads, k]"
      + ", value_gradient [batch, time, heads, v], beta_gradient [batch, time, heads]"
      + (needsGate ? ", gate_gradient [batch, time, heads]" : "")
      + (forward.options.hasInitialState ? ", initial_state_gradient [batch, heads, k, v]" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
      .validate(operation: Self.name, signature: signature)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    // States are made again (2); query, key (twice), value, the output's cotangent and the state's gradient itself each
    // meet a state or its gradient once per token.
    return Cost(
      flops: 8 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let states = forward.states(inputs, size, batch: batch, head: head)
        let place = (batch * size.heads + head) * size.stateCount
        var gradient = [Scalar](repeating: 0, count: size.stateCount)
        if hasFinalCotangent {
          gradient = Array(inputs[cotangentPosition + 1].values[place..<place + size.stateCount])
        }
        for time in (0..<size.time).reversed() {
          step(inputs, &outputs, size, batch: batch, time: time, head: head, states, &gradient)
        }
        guard forward.options.hasInitialState else { continue }
        let last = outputs.count - 1
        for index in 0..<size.stateCount { outputs[last][place + index] = gradient[index] }
      }
    }
  }

  /// One token's gradients; `gradient` is that of the state behind it and becomes that of the state in front.
  private func step<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
    _ size: RecurrenceExtents,
    batch: Int, time: Int, head: Int, _ states: [[Scalar]], _ gradient: inout [Scalar],
  ) {
    let key = size.keyRow(batch, time, size.keyHead(head))
    let target = size.row(batch, time, head, width: size.width)
    let value = size.row(batch, time, head, width: size.valueWidth)
    let token = size.row(batch, time, head, width: 1)
    let decay: Scalar = forward.decay(inputs, size, batch: batch, time: time, head: head)
    let decayed = states[time].map { decay * $0 }
    let errors = forward.errors(of: decayed, inputs, size, batch: batch, time: time, head: head)
    let beta = inputs[3][token]
    let scale = Scalar(forward.options.scale)
    for row in 0..<size.width { (outputs[0][target + row], outputs[1][target + row]) = (0, 0) }
    var written = [Scalar](repeating: 0, count: size.valueWidth)
    for index in 0..<size.stateCount {
      let (row, column) = (index / size.valueWidth, index % size.valueWidth)
      let cotangent = inputs[cotangentPosition][value + column]
      gradient[index] += scale * inputs[0][key + row] * cotangent
      outputs[0][target + row] += scale * states[time + 1][index] * cotangent
      outputs[1][target + row] += gradient[index] * beta * errors[column]
      written[column] += gradient[index] * inputs[1][key + row]
    }
    outputs[3][token] = 0
    for column in 0..<size.valueWidth {
      outputs[2][value + column] = beta * written[column]
      outputs[3][token] += written[column] * errors[column]
    }
    var gate: Scalar = 0
    for index in 0..<size.stateCount {
      let (row, column) = (index / size.valueWidth, index % size.valueWidth)
      outputs[1][target + row] -= decayed[index] * beta * written[column]
      gradient[index] -= inputs[1][key + row] * beta * written[column]
      gate += decayed[index] * gradient[index]
      gradient[index] *= decay
    }
    if needsGate {
      outputs[4][token] = inputs[4][token] < ScalarGatedLinearAttention.leastGate() ? 0 : gate
    }
  }
}
