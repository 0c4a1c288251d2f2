import Kernels

/// Linear attention whose state decays by one factor per key channel and token (GLA), fused and in blocks.
///
/// `S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T`, `o_t = scale S_t^T q_t`
///
/// Inputs: query, key [batch, time, heads, k], value [batch, time, heads, v], log_gate [batch, time, heads, k], and where
/// the options say so initial_state [batch, heads, k, v] and documents int32 [batch, time]. Outputs: output
/// [batch, time, heads, v], final_state [batch, heads, k, v]. Gates are natural logarithms, at most 0; below -20 they
/// count as -20, without a gradient.
///
/// - SeeAlso: Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2024.
public struct GatedLinearAttention: DifferentiableOperation {
  public static let name = "gated_linear_attention"
  public let options: RecurrenceOptions

  public init(_ options: RecurrenceOptions) { self.options = options }

  /// Position of the first input behind the gate.
  static let extrasPosition = 4

  var operands: String {
    "query [batch, time, heads, k], key [batch, time, heads, k], value [batch, time, heads, v]"
      + ", log_gate [batch, time, heads, k]" + options.operands
  }

  public var signature: String {
    operands + " > output [batch, time, heads, v], final_state [batch, heads, k, v]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
      .validate(operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    // The state is written and read once per token.
    return Cost(
      flops: 2 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  /// Gates below this count as this, without a gradient.
  static func leastGate<Scalar: ReferenceScalar>() -> Scalar { ScalarGatedLinearAttention.leastGate() }

  /// The factors of the state's rows in front of a token.
  func decays<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, time: Int, head: Int,
  ) -> [Scalar] {
    let documents = options.extras(of: inputs, from: Self.extrasPosition).documents
    guard !RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) else {
      return [Scalar](repeating: 0, count: size.width)
    }
    let row = size.row(batch, time, head, width: size.width)
    return (0..<size.width).map { .exp(max(inputs[3][row + $0], Self.leastGate())) }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let states = states(inputs, size, batch: batch, head: head)
        for time in 0..<size.time {
          let query = size.row(batch, time, head, width: size.width)
          let row = size.row(batch, time, head, width: size.valueWidth)
          for column in 0..<size.valueWidth {
            var sum: Scalar = 0
            for index in 0..<size.width {
              sum += states[time + 1][index * size.valueWidth + column] * inputs[0][query + index]
            }
            outputs[0][row + column] = Scalar(options.scale) * sum
          }
        }
        let place = (batch * size.heads + head) * size.stateCount
        for index in 0..<size.stateCount { outputs[1][place + index] = states[size.time][index] }
      }
    }
  }

  /// The states of one head: in front of the first token, then behind every token.
  func states<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, head: Int,
  ) -> [[Scalar]] {
    let initial = options.extras(of: inputs, from: Self.extrasPosition).initial
    let place = (batch * size.heads + head) * size.stateCount
    var states = [
      initial.map { Array($0.values[place..<place + size.stateCount]) }
        ?? [Scalar](repeating: 0, count: size.stateCount)
    ]
    for time in 0..<size.time {
      let decays: [Scalar] = decays(inputs, size, batch: batch, time: time, head: head)
      let key = size.row(batch, time, head, width: size.width)
      let value = size.row(batch, time, head, width: size.valueWidth)
      var state = states[time]
      for index in 0..<size.stateCount {
        let (row, column) = (index / size.valueWidth, index % size.valueWidth)
        state[index] = decays[row] * state[index] + inputs[1][key + row] * inputs[2][value + column]
      }
      states.append(state)
    }
    return states
  }

  public var saved: SavedTensors {
    SavedTensors(inputs: Set(0..<Self.extrasPosition + options.extraCount))
  }

  public func backward(_ context: GradientContext) {
    let final = context.cotangent(1)
    guard context.cotangent(0) != nil || final != nil else { return }
    let inputs = (0..<Self.extrasPosition + options.extraCount).map { context.input($0) }
    let gradient = GatedLinearAttentionGradient(self, hasFinalCotangent: final != nil)
    let results = context.tape.apply(
      gradient, inputs + [context.cotangentOrZero(0)] + (final.map { [$0] } ?? []))
    for position in 0..<(options.hasInitialState ? 5 : 4) { context.add(results[position], to: position) }
  }
}

/// The gradient of ``GatedLinearAttention``; states are made again, not kept.
struct GatedLinearAttentionGradient: Operation {
  static let name = "gated_linear_attention_gradient"
  let forward: GatedLinearAttention
  /// A cotangent of the final state is the last input.
  let hasFinalCotangent: Bool

  init(_ forward: GatedLinearAttention, hasFinalCotangent: Bool) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
  }

  /// Position of the output's cotangent.
  var cotangentPosition: Int { GatedLinearAttention.extrasPosition + forward.options.extraCount }

  var signature: String {
    forward.operands + ", cotangent [batch, time, heads, v]"
      + (hasFinalCotangent ? ", final_cotangent [batch, heads, k, v]" : "")
      + " > query_gradient [batch, time, heads, k], key_gradient [batch, time, heads, k]"
      + ", value_gradient [batch, time, heads, v], gate_gradient [batch, time, heads, k]"
      + (forward.options.hasInitialState ? ", initial_state_gradient [batch, heads, k, v]" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
      .validate(operation: Self.name, signature: signature)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    // States and their gradients once per token, and each of query, key and value meets one of them.
    return Cost(
      flops: 5 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    for index in 0..<4 {
      for place in 0..<outputs[index].shape.count { outputs[index][place] = 0 }
    }
    for batch in 0..<size.batch {
      for head in 0..<size.heads { reference(inputs, &outputs, size, batch: batch, head: head) }
    }
  }

  private func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
    _ size: RecurrenceExtents, batch: Int, head: Int,
  ) {
    let states = forward.states(inputs, size, batch: batch, head: head)
    let place = (batch * size.heads + head) * size.stateCount
    var gradient = [Scalar](repeating: 0, count: size.stateCount)
    if hasFinalCotangent {
      gradient = Array(inputs[cotangentPosition + 1].values[place..<place + size.stateCount])
    }
    let scale = Scalar(forward.options.scale)
    for time in (0..<size.time).reversed() {
      let key = size.row(batch, time, head, width: size.width)
      let value = size.row(batch, time, head, width: size.valueWidth)
      let decays: [Scalar] = forward.decays(inputs, size, batch: batch, time: time, head: head)
      for index in 0..<size.stateCount {
        let (row, column) = (index / size.valueWidth, index % size.valueWidth)
        let cotangent = inputs[cotangentPosition][value + column]
        gradient[index] += scale * inputs[0][key + row] * cotangent
        outputs[0][key + row] += scale * states[time + 1][index] * cotangent
        outputs[1][key + row] += gradient[index] * inputs[2][value + column]
        outputs[2][value + column] += gradient[index] * inputs[1][key + row]
        if inputs[3][key + row] >= GatedLinearAttention.leastGate() {
          outputs[3][key + row] += decays[row] * states[time][index] * gradient[index]
        }
        gradient[index] *= decays[row]
      }
    }
    guard forward.options.hasInitialState else { return }
    for index in 0..<size.stateCount { outputs[4][place + index] = gradient[index] }
  }
}

extension Tape {
  /// Linear attention with a gate per key channel; see ``GatedLinearAttention``.
  ///
  /// - Parameters:
  ///   - query: [batch, time, heads, k].
  ///   - key: [batch, time, heads, k].
  ///   - value: [batch, time, heads, v].
  ///   - gate: [batch, time, heads, k], natural logarithms of decays.
  ///   - initialState: [batch, heads, k, v]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  public func gatedLinearAttention(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor, scale: Float, initialState: Tensor? = nil,
    documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let options = RecurrenceOptions(
      scale: scale, hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let outputs = apply(
      GatedLinearAttention(options),
      [query, key, value, gate] + [initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
